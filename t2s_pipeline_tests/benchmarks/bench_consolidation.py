"""How fast the lessons of a skill become clusters in the store, and what an update with a few more costs.

    python -m t2s_pipeline_tests.benchmarks.bench_consolidation [--lessons 100000] [--more 100]

Three kinds of lessons: `templates`, as the statistical engine makes them (a few thousand signatures, most
lessons equal to others), `worded`, as a model words them (every third lesson says something new, near misses
and negations among them), and `judged`, the same with an engine that is asked, at no cost, which of them
mean the same. Each step has a process of its own, as with `t2s run`: nothing is in memory before it. Ends
with 1 when lessons are lost, or when the update differs from a rebuild.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from rich.console import Console
from rich.table import Table

from t2s_pipeline.analysts.lesson import Evidence, Lesson, RuleText, Signature
from t2s_pipeline.consolidation.cluster import Support
from t2s_pipeline.consolidation.consolidate import consolidate, consolidate_skill
from t2s_pipeline.consolidation.merge import Judgement, Stated
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import lessons_frames
from t2s_pipeline.store.store import Store

SKILL = "bench"
REPORT = Path("build/bench_consolidation.json")
AIM_GROUP_S = 60.0
AIM_UPDATE_S = 5.0
AIM_PEAK_MB = 4096.0

Kind = Literal["templates", "worded", "judged"]
KINDS: tuple[Kind, ...] = ("templates", "worded", "judged")

Result = TypeVar("Result")

_WORDS = (
    "payment amount total fare seat flight passenger reservation user profile card balance certificate date"
    " origin destination cabin economy business insurance baggage refund cancel change update search book"
    " table column schema query join group order limit filter null duplicate index row sheet cell formula"
    " range style border import module function argument return value type string integer path file directory"
    " permission network timeout token session header status not never only before after"
).split()


@dataclass(frozen=True)
class Measured:
    """One consolidation in a process of its own."""

    step: str
    lessons: int
    clusters: int
    conflicts: int
    wall_s: float
    """From reading the first lesson to the last row written; the start of the process is not in it."""
    processor_s: float
    peak_mb: float
    """Of the process."""
    root: str


class FirstWords:
    """Words at no cost, so that grouping is what is measured."""

    name = "first words"
    version = "1"

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText:
        return RuleText(headline=lessons[0].do, detail=f"{support.traces}")


class FirstJudge(FirstWords):
    """The same from an engine that costs as far as consolidation knows, and that finds nothing alike."""

    name = "first judge"
    fan_in = 16
    concurrency = 16
    embedder = None

    def judge(self, findings: Sequence[Stated]) -> Judgement:
        return Judgement(same=tuple((position,) for position in range(len(findings))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, write the numbers as JSON; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lessons", type=int, default=100_000)
    parser.add_argument("--more", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    measured = {kind: measure(kind, options.lessons, options.more, options.seed, _apart) for kind in KINDS}
    Console().print(_table(measured))
    report = {
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "seed": options.seed,
        "kinds": {kind: [asdict(step) for step in steps] for kind, steps in measured.items()},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    broken = [kind for kind, (_, update, rebuilt) in measured.items() if update.root != rebuilt.root]
    for kind in broken:
        print(f"{kind}: the update differs from a rebuild", file=sys.stderr)
    return 1 if broken else 0


def measure(kind: Kind, lessons: int, more: int, seed: int, run: Run) -> list[Measured]:
    """All lessons, an update with some more, and a rebuild of them all in memory."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        run(land, root, kind, lessons, more, seed, "first")
        first = run(stored, root, kind, "first")
        run(land, root, kind, lessons, more, seed, "more")
        update = run(stored, root, kind, f"with {more} more")
        return [first, update, run(rebuilt, kind, lessons + more, seed)]


class Run(Protocol):
    """Calls a function, here or elsewhere."""

    def __call__(self, work: Callable[..., Result], *arguments: object) -> Result: ...


def _apart(work: Callable[..., Result], *arguments: object) -> Result:
    """Calls a function in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def land(root: Path, kind: Kind, lessons: int, more: int, seed: int, batch: Literal["first", "more"]) -> None:
    """Put the first lessons, or those that come later, into the store."""
    everything = synthetic_lessons(kind, lessons + more, seed)
    landed = everything[:lessons] if batch == "first" else everything[lessons:]
    Store(DataPaths(root)).replace({"batch": batch}, lessons_frames(landed, batch))


def stored(root: Path, kind: Kind, step: str) -> Measured:
    """Consolidate what is in the store."""
    settings, store = Settings(data=root), Store(DataPaths(root))
    wall_s, processor_s, report = _timed(lambda: consolidate_skill(store, settings, SKILL, _merger(kind)))
    if not report.balance.holds:
        raise SystemExit("lessons were lost")
    return Measured(
        step=step,
        lessons=report.lessons,
        clusters=report.clusters,
        conflicts=report.conflicts,
        wall_s=wall_s,
        processor_s=processor_s,
        peak_mb=_peak_mb(),
        root=report.root,
    )


def rebuilt(kind: Kind, lessons: int, seed: int) -> Measured:
    """Consolidate the same lessons in memory, over nothing that was kept."""
    everything = synthetic_lessons(kind, lessons, seed)
    wall_s, processor_s, result = _timed(
        lambda: consolidate(everything, skill=SKILL, min_tasks=2, merger=_merger(kind))
    )
    return Measured(
        step="in memory",
        lessons=len(everything),
        clusters=len(result.clusters),
        conflicts=len(result.conflicts),
        wall_s=wall_s,
        processor_s=processor_s,
        peak_mb=_peak_mb(),
        root=result.root,
    )


def _merger(kind: Kind) -> FirstWords:
    return FirstJudge() if kind == "judged" else FirstWords()


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def synthetic_lessons(kind: Kind, number: int, seed: int) -> list[Lesson]:
    """Different lessons, in an order that is a function of the seed."""
    draw = random.Random(seed)
    make = _template if kind == "templates" else _worded
    return [_lesson(index, make(draw, number), draw) for index in range(number)]


def _template(draw: random.Random, _: int) -> tuple[Literal["statistical", "llm"], Signature]:
    about = random.Random(int(3_000 * draw.random() ** 2))
    trigger = " ".join(about.choices(_WORDS, k=9))
    return "statistical", Signature(pattern="refusal", tool=f"tool_{about.randrange(40)}", trigger=trigger)


def _worded(draw: random.Random, number: int) -> tuple[Literal["statistical", "llm"], Signature]:
    about = random.Random(draw.randrange(number // 3 + 1))
    words = about.choices(_WORDS, k=about.randrange(3, 10))
    action = " ".join(about.choices(_WORDS, k=about.randrange(2, 6)))
    if draw.random() < 0.3:
        words.pop(draw.randrange(len(words)))
    signature = Signature(
        pattern="error",
        tool=f"tool_{about.randrange(40)}",
        trigger=" ".join(words),
        action=action,
        negated=draw.random() < 0.1,
    )
    return "llm", signature


def _lesson(index: int, said: tuple[Literal["statistical", "llm"], Signature], draw: random.Random) -> Lesson:
    engine, signature = said
    trace_id = f"t-{index // 3:016x}"
    return Lesson(
        skill=SKILL,
        kind="repair",
        engine=engine,
        analyst="error",
        trace_id=trace_id,
        task_id=f"task-{index // 3 % 5_000}",
        outcome=draw.choice(("success", "failure")),
        when=f"calling `{signature.tool}` when {signature.trigger}",
        do=f"{signature.action or 'Put it right'} before calling again",
        because="the call was refused and the next one, with this changed, was not",
        section="tools",
        signature=signature,
        facts={"count": draw.randrange(1, 5), "fixed": True, "shown": signature.trigger},
        evidence=(
            Evidence(trace_id=trace_id, first_step=index % 30, last_step=index % 30 + 2, quote="refused"),
        ),
    )


def _timed(work: Callable[[], Result]) -> tuple[float, float, Result]:
    """Seconds by the clock, seconds of processor time, and the result."""
    started, cpu = time.perf_counter(), time.process_time()
    result = work()
    return round(time.perf_counter() - started, 2), round(time.process_time() - cpu, 2), result


def _table(measured: Mapping[Kind, Sequence[Measured]]) -> Table:
    table = Table(title=f"lessons to clusters, less than {AIM_PEAK_MB:,.0f} MB at most")
    for heading in ("lessons", "", "clusters", "seconds", "aim", "processor", "MB at most"):
        table.add_column(heading, justify="right")
    for kind, steps in measured.items():
        for one, aim_s in zip(steps, (AIM_GROUP_S, AIM_UPDATE_S, AIM_GROUP_S), strict=True):
            table.add_row(
                f"{one.lessons:,} {kind}",
                one.step,
                f"{one.clusters:,}",
                f"{one.wall_s:.1f}",
                f"< {aim_s:.0f}",
                f"{one.processor_s:.1f}",
                f"{one.peak_mb:,.0f}",
            )
    return table


if __name__ == "__main__":
    sys.exit(main())
