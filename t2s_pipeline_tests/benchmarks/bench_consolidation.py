"""How fast lessons become clusters, and what an update with a few more costs.

    python -m t2s_pipeline_tests.benchmarks.bench_consolidation [--lessons 100000] [--more 100]

Two kinds of lessons: `templates`, as the statistical engine makes them (a few thousand signatures, most
lessons equal to others), and `worded`, as a model words them (every third lesson says something new, near
misses and negations among them). Each is measured in a process of its own, in memory and through the store.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

from rich.console import Console
from rich.table import Table

from t2s_pipeline.analysts.lesson import Evidence, Lesson, RuleText, Signature
from t2s_pipeline.consolidation.cluster import Support
from t2s_pipeline.consolidation.consolidate import account, consolidate, consolidate_skill
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import lessons_frames
from t2s_pipeline.store.store import Store

SKILL = "bench"
REPORT = Path("build/bench_consolidation.json")
AIM_GROUP_S = 60.0
AIM_UPDATE_S = 5.0
AIM_PEAK_MB = 4096.0

Kind = Literal["templates", "worded"]
KINDS: tuple[Kind, ...] = ("templates", "worded")

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
    """Seconds and megabytes for one kind of lessons."""

    kind: Kind
    lessons: int
    more: int
    clusters: int
    conflicts: int
    group_s: float
    """All lessons, in memory."""
    group_cpu_s: float
    update_s: float
    """All lessons and some more, in memory, right after."""
    update_cpu_s: float
    store_first_s: float
    """Read from the store, grouped, written to the store."""
    store_update_s: float
    """The same once the additional lessons have landed."""
    store_update_cpu_s: float
    peak_mb: float


class FirstWords:
    """Words at no cost, so that grouping is what is measured."""

    name = "first words"
    version = "1"

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText:
        return RuleText(headline=lessons[0].do, detail=f"{support.traces}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, and write the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lessons", type=int, default=100_000)
    parser.add_argument("--more", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    work = [(kind, options.lessons, options.more, options.seed) for kind in KINDS]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        measured = [pool.apply(measure, one) for one in work]
    Console().print(_table(measured))
    report = {
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "seed": options.seed,
        "kinds": [asdict(one) for one in measured],
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure(kind: Kind, lessons: int, more: int, seed: int) -> Measured:
    """Measure one kind in this process."""
    everything = synthetic_lessons(kind, lessons + more, seed)
    first, merger = everything[:lessons], FirstWords()
    group_s, group_cpu_s, grouped = _timed(
        lambda: consolidate(first, skill=SKILL, min_tasks=2, merger=merger)
    )
    update_s, update_cpu_s, updated = _timed(
        lambda: consolidate(everything, skill=SKILL, min_tasks=2, merger=merger)
    )
    if not (account(first, grouped).holds and account(everything, updated).holds):
        raise SystemExit("lessons were lost")
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(data=Path(directory))
        store = Store(DataPaths(settings.data))
        store.replace({"batch": "first"}, lessons_frames(first, "first"))
        store_first_s, _, _ = _timed(lambda: consolidate_skill(store, settings, SKILL, merger))
        store.replace({"batch": "more"}, lessons_frames(everything[lessons:], "more"))
        store_update_s, store_update_cpu_s, report = _timed(
            lambda: consolidate_skill(store, settings, SKILL, merger)
        )
    if report.root != updated.root:
        raise SystemExit("the store and memory disagree")
    return Measured(
        kind=kind,
        lessons=lessons,
        more=more,
        clusters=len(grouped.clusters),
        conflicts=len(grouped.conflicts),
        group_s=group_s,
        group_cpu_s=group_cpu_s,
        update_s=update_s,
        update_cpu_s=update_cpu_s,
        store_first_s=store_first_s,
        store_update_s=store_update_s,
        store_update_cpu_s=store_update_cpu_s,
        peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


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


def _table(measured: Sequence[Measured]) -> Table:
    table = Table(title="lessons to clusters")
    for heading in ("", *(one.kind for one in measured), "aim"):
        table.add_column(heading, justify="right")
    rows: list[tuple[str, Callable[[Measured], str], str]] = [
        ("lessons", lambda one: f"{one.lessons:,}", ""),
        ("clusters", lambda one: f"{one.clusters:,}", ""),
        ("conflicts", lambda one: f"{one.conflicts:,}", ""),
        ("grouped, s", lambda one: f"{one.group_s:.1f}", f"< {AIM_GROUP_S:.0f}"),
        ("  of which processor, s", lambda one: f"{one.group_cpu_s:.1f}", ""),
        (f"update with {measured[0].more}, s", lambda one: f"{one.update_s:.1f}", f"< {AIM_UPDATE_S:.0f}"),
        ("  of which processor, s", lambda one: f"{one.update_cpu_s:.1f}", ""),
        ("through the store, s", lambda one: f"{one.store_first_s:.1f}", ""),
        ("update through the store, s", lambda one: f"{one.store_update_s:.1f}", ""),
        ("  of which processor, s", lambda one: f"{one.store_update_cpu_s:.1f}", ""),
        ("peak memory, MB", lambda one: f"{one.peak_mb:,.0f}", f"< {AIM_PEAK_MB:,.0f}"),
    ]
    for name, value, aim in rows:
        table.add_row(name, *(value(one) for one in measured), aim)
    return table


if __name__ == "__main__":
    main()
