"""How long `t2s explain` and `t2s impact` take when the store holds many lessons.

    python -m t2s_pipeline_tests.benchmarks.bench_explain [--lessons 100000]

The lessons are consolidated and published; then the lines of the skill that are not blank are explained: from
the lineage file beside it, and from the store alone as for a skill that has lost that file. Some lines are
explained by the program itself, start of the interpreter included. Ends with 1 when a line takes too long.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import polars as pl
from rich.console import Console
from rich.table import Table

from t2s_pipeline.analysts.lesson import Lesson, RuleText
from t2s_pipeline.commands.impact import impact
from t2s_pipeline.consolidation.cluster import Support
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.pipeline import Pipeline, pipeline_at
from t2s_pipeline.settings import Settings
from t2s_pipeline.skills.lineage import explain
from t2s_pipeline.skills.publish import publish_skill
from t2s_pipeline.skills.tree import LINEAGE_FILE
from t2s_pipeline.store.frames import lessons_frames, trace_frames
from t2s_pipeline.store.store import Store
from t2s_pipeline_tests.benchmarks.bench_consolidation import SKILL, FirstWords, synthetic_lessons
from t2s_pipeline_tests.builders import record_of, user

REPORT = Path("build/bench_explain.json")
AIM_S = 0.5
PROGRAMS = 10
"""Lines explained by a program of its own, and traces whose impact is asked for."""

Place = tuple[Path, int]
Asked = TypeVar("Asked")


@dataclass(frozen=True)
class Measured:
    """One way of asking, for many places."""

    what: str
    asked: int
    median_s: float
    longest_s: float


class OwnWords(FirstWords):
    """Other words for every cluster, so that each becomes a line."""

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText:
        return RuleText(headline=lessons[0].when, detail=super().merge(lessons, support).headline)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, keep a report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lessons", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=300, help="so many lines, evenly spread; 0 takes all")
    parser.add_argument("--json", type=Path, default=REPORT)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        measured = measure(Path(directory), chosen.lessons, chosen.lines)
    Console().print(_table(measured, chosen.lessons))
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps([asdict(one) for one in measured], indent=2) + "\n", encoding="utf-8")
    late = [one for one in measured if one.longest_s >= AIM_S]
    for one in late:
        print(f"over the limit: {one.what} took {one.longest_s:.2f} s", file=sys.stderr)
    return 1 if late else 0


def measure(root: Path, lessons: int, lines: int) -> list[Measured]:
    """Publish a skill from that many lessons and ask about so many of its lines."""
    pipeline = pipeline_at(Settings(data=root / "data"))
    traces = learn(pipeline, lessons)
    skill = pipeline.paths.skills / SKILL
    bare = root / SKILL
    shutil.copytree(skill, bare, ignore=shutil.ignore_patterns(LINEAGE_FILE))
    places, bare_places = (spread(lines_of(where), lines) for where in (skill, bare))
    # What the lessons left in memory is no part of the question.
    gc.collect()
    gc.freeze()

    def explained(place: Place, store: Store | None) -> None:
        if not explain(*place, store=store).note:
            raise SystemExit(f"{place[0]}:{place[1]} is not explained")

    def by_program(place: Place) -> None:
        command = [sys.executable, "-m", "t2s_pipeline.cli", "explain", f"{place[0]}:{place[1]}"]
        subprocess.run(command, check=True, capture_output=True)

    measured = [
        _timed("explain, from the lineage file", places, lambda place: explained(place, None)),
        _timed("explain, from the store", bare_places, lambda place: explained(place, pipeline.store)),
        _timed("t2s explain, the whole program", spread(places, PROGRAMS), by_program),
        _timed("impact", traces[:PROGRAMS], lambda trace_id: impact(pipeline, trace_id)),
    ]
    gc.unfreeze()
    return measured


def learn(pipeline: Pipeline, number: int) -> list[str]:
    """Put lessons with their traces into the store, publish, and return the ids of the traces."""
    lessons = synthetic_lessons("templates", number, 1)
    ids = sorted({lesson.trace_id for lesson in lessons})
    one = trace_frames([record_of(user("hello"), trace_id="t-1")], "b")["traces"]
    rows = pl.DataFrame({"trace_id": ids}).join(one.drop("trace_id", "skill"), how="cross")
    pipeline.store.replace({"batch": "b"}, {"traces": rows.with_columns(skill=pl.lit(SKILL))})
    pipeline.store.replace({"batch": "b"}, lessons_frames(lessons, "b"))
    consolidate_skill(pipeline.store, pipeline.settings, SKILL, OwnWords())
    publish_skill(pipeline.store, pipeline.paths, pipeline.settings, SKILL, now=datetime.now(tz=UTC))
    return ids


def lines_of(skill: Path) -> list[Place]:
    """Every line of a skill that is not blank."""
    return [
        (file, number)
        for file in sorted(skill.rglob("*.md"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if line.strip()
    ]


def spread(places: Sequence[Place], most: int) -> Sequence[Place]:
    """About so many of the places, from first to last; all of them for 0."""
    return places[:: max(1, len(places) // most)] if most else places


def _timed(what: str, asked: Iterable[Asked], ask: Callable[[Asked], object]) -> Measured:
    seconds = []
    for one in asked:
        started = time.perf_counter()
        ask(one)
        seconds.append(time.perf_counter() - started)
    seconds.sort()
    return Measured(what, len(seconds), round(seconds[len(seconds) // 2], 4), round(seconds[-1], 4))


def _table(measured: Sequence[Measured], lessons: int) -> Table:
    table = Table(title=f"asking about a skill of {lessons:,} lessons")
    for column in ("", "asked", "median, ms", f"longest, ms (aim {AIM_S * 1000:.0f})"):
        table.add_column(column, justify="right")
    for one in measured:
        table.add_row(one.what, f"{one.asked:,}", f"{1000 * one.median_s:.0f}", f"{1000 * one.longest_s:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
