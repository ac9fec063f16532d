"""How fast the pipeline is, how much memory it takes, and how both grow with the number of traces.

    python -m t2s_pipeline_tests.benchmarks.bench_pipeline [--sizes 1000 10000] [--stages plan ingest]

Every size is measured in a process of its own on synthetic traces that are written before the clock
starts. The functions measured are the ones the assets call; Dagster's own cost per run is not in it.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import math
import multiprocessing
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from t2s_pipeline.analysts.analyse import analyse_batches, analyse_skill
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.skills.publish import publish_skill
from t2s_pipeline.store.queries import status_counts
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.inbox import all_batches, plan_batches
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.benchmarks.synthetic import write_inbox

SIZES = (1_000, 10_000, 50_000)
STAGES = ("plan", "ingest", "lessons", "contrasts", "consolidate", "publish")
MINED = ("plan", "ingest", "lessons", "contrasts", "consolidate")
"""The stages the aim speaks of: 10,000 traces in under 60 s and under 4 GB on two cores."""

REPORT = Path("build/bench_pipeline.json")


class Measured(BaseModel):
    """One size, measured."""

    model_config = ConfigDict(frozen=True)

    traces: int
    input_mb: float
    seconds: dict[str, float]
    """By stage, as a clock on the wall shows them."""
    cpu_seconds: dict[str, float]
    """By stage, over all threads and workers: what depends least on who else uses the machine."""
    peak_mb: dict[str, float]
    """Highest resident memory of the process and its workers together, from the start to the end of the
    stage; an upper bound, since they need not be at their highest at the same time."""
    database_mb: float
    lessons: int
    clusters: int
    rules: int

    @property
    def mined_s(self) -> float:
        """Seconds from the planning of batches to the clusters."""
        return sum(self.seconds.get(stage, 0.0) for stage in MINED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, and write the numbers as JSON."""
    options = _options(arguments)
    console = Console()
    measured = []
    for size in sorted(options.sizes):
        result = _measure_in_own_process(size, options, console)
        measured.append(result)
        console.print(f"{size:,} traces: {result.mined_s:.1f} s to clusters, {_peak(result):,.0f} MB at most")
    console.print(_table(measured, options.stages))
    report = {
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "seed": options.seed,
        "sizes": [one.model_dump() for one in measured],
        "growth": {stage: growth(measured, stage) for stage in options.stages},
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console.print(f"Numbers: {options.json}")


def growth(measured: Sequence[Measured], stage: str) -> list[float]:
    """Between each size and the next, the exponent with which a stage's time grows: 1 is in proportion."""
    return [
        round(math.log(more.seconds[stage] / less.seconds[stage]) / math.log(more.traces / less.traces), 2)
        for less, more in pairwise(measured)
        if less.seconds[stage] > 0 and more.seconds[stage] > 0
    ]


def run_stages(
    root: Path, stages: Sequence[str], profiles: Path | None = None, workers: int | None = None
) -> Measured:
    """Run the stages on what lies in the inbox under the root, in this process."""
    settings = Settings(data=root) if workers is None else Settings(data=root, workers=workers)
    paths = DataPaths(root)
    store = Store(paths)
    merger = StatisticalMerger()
    now = datetime.now(UTC)

    def skills() -> list[str]:
        return sorted({batch.skill for batch in all_batches(paths)})

    work: dict[str, Callable[[], object]] = {
        "plan": lambda: plan_batches(paths, settings),
        "ingest": lambda: ingest_batches(store, paths, settings, all_batches(paths)),
        "lessons": lambda: analyse_batches(store, settings, [batch.key for batch in all_batches(paths)]),
        "contrasts": lambda: [analyse_skill(store, settings, skill) for skill in skills()],
        "consolidate": lambda: [consolidate_skill(store, settings, skill, merger) for skill in skills()],
        "publish": lambda: [publish_skill(store, paths, settings, skill, now=now) for skill in skills()],
    }
    seconds: dict[str, float] = {}
    cpu_seconds: dict[str, float] = {}
    peak_mb: dict[str, float] = {}
    for stage in stages:
        profiler = cProfile.Profile() if profiles else None
        started, cpu_started = time.perf_counter(), _cpu_seconds()
        if profiler is None:
            work[stage]()
        else:
            profiler.runcall(work[stage])
        seconds[stage] = round(time.perf_counter() - started, 3)
        cpu_seconds[stage] = round(_cpu_seconds() - cpu_started, 3)
        peak_mb[stage] = round(_peak_resident_mb(settings.workers), 1)
        if profiler is not None and profiles is not None:
            profiler.dump_stats(profiles / f"{stage}.prof")
    counts = status_counts(store)
    return Measured(
        traces=int(counts["traces"].sum()),
        input_mb=round(sum(file.stat().st_size for file in paths.inbox.rglob("*.jsonl")) / 1e6, 1),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_mb=peak_mb,
        database_mb=round(paths.database.stat().st_size / 1e6, 1),
        lessons=int(counts["lessons"].sum()),
        clusters=int(counts["clusters"].sum()),
        rules=int(counts["rules"].sum()),
    )


def _measure_in_own_process(size: int, options: argparse.Namespace, console: Console) -> Measured:
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f"t2s-bench-{size}-", dir=options.work))
    try:
        with console.status(f"{size:,} traces: writing them"):
            write_inbox(root / "inbox", size, seed=options.seed)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=_child, args=(theirs, root, options.stages, options.profile, options.workers)
        )
        with console.status(f"{size:,} traces: {', '.join(options.stages)}"):
            process.start()
            theirs.close()
            try:
                answer: dict[str, Any] = ours.recv()
            except EOFError:
                process.join()
                sys.exit(f"measuring {size:,} traces failed with exit code {process.exitcode}")
            process.join()
        return Measured.model_validate(answer)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _child(
    answer: Connection, root: Path, stages: Sequence[str], profiles: Path | None, workers: int | None
) -> None:
    if profiles is not None:
        profiles.mkdir(parents=True, exist_ok=True)
    answer.send(run_stages(root, stages, profiles, workers).model_dump())
    answer.close()


def _cpu_seconds() -> float:
    """Of this process and of the programs it has started and waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _peak_resident_mb(workers: int) -> float:
    """Of this process, and as many workers as there can be, each counted like the largest one."""
    own, largest = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return (own + workers * largest) * (1 if sys.platform == "darwin" else 1024) / 1e6


def _peak(result: Measured) -> float:
    return max(result.peak_mb.values())


def _table(measured: Sequence[Measured], stages: Sequence[str]) -> Table:
    table = Table(title="Seconds, and growth between sizes (1 = in proportion to the traces)")
    table.add_column("")
    for one in measured:
        table.add_column(f"{one.traces:,} traces", justify="right")
    table.add_column("growth", justify="right")
    for stage in stages:
        grown = " ".join(f"{exponent:.2f}" for exponent in growth(measured, stage))
        table.add_row(stage, *(f"{one.seconds[stage]:.2f}" for one in measured), grown)
    table.add_section()
    rows: tuple[tuple[str, Callable[[Measured], str]], ...] = (
        ("CPU seconds", lambda one: f"{sum(one.cpu_seconds.values()):.1f}"),
        ("input MB", lambda one: f"{one.input_mb:,.0f}"),
        ("ingest traces/s", lambda one: _rate(one.traces, one.seconds.get("ingest"))),
        ("ingest MB/s", lambda one: _rate(one.input_mb, one.seconds.get("ingest"))),
        ("to clusters, s", lambda one: f"{one.mined_s:.1f}"),
        ("to clusters, traces/s", lambda one: _rate(one.traces, one.mined_s)),
        ("peak memory MB", lambda one: f"{_peak(one):,.0f}"),
        ("database MB", lambda one: f"{one.database_mb:,.0f}"),
        ("lessons", lambda one: f"{one.lessons:,}"),
        ("clusters / rules", lambda one: f"{one.clusters:,} / {one.rules:,}"),
    )
    for label, value in rows:
        table.add_row(label, *(value(one) for one in measured), "")
    return table


def _rate(amount: float, seconds: float | None) -> str:
    return f"{amount / seconds:,.0f}" if seconds else "-"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_pipeline", description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="traces per measurement")
    parser.add_argument(
        "--stages", nargs="+", choices=STAGES, default=list(STAGES), help="each needs the ones before it"
    )
    parser.add_argument("--workers", type=int, default=None, help="processes (default: that of the settings)")
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic traces")
    parser.add_argument("--json", type=Path, default=REPORT, help="where the numbers go")
    parser.add_argument("--work", type=Path, default=None, help="where the data is put while measuring")
    parser.add_argument(
        "--profile", type=Path, default=None, help="also write a cProfile file per stage here"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
