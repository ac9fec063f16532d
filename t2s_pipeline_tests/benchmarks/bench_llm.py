"""How much time, CPU and memory the analyst fleet takes, against an endpoint with a fixed delay.

    python -m t2s_pipeline_tests.benchmarks.bench_llm [--traces 400] [--delay 1] [--in-flight 64]

The endpoint is a process of its own on 127.0.0.1. Calls count everything: probe, analyses, merges and
judgements of the consolidation. Ends with 1 when a limit does not hold.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from t2s_pipeline.analysts.llm.fleet import FleetReport, analyse_traces
from t2s_pipeline.analysts.llm.merging import LLMMerger
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import consolidate
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline_tests.analysts.llm.records import by_task, many_records

REPORT = Path("build/bench_llm.json")
MOST_CALLS_PER_TRACE = 1.2
MOST_CPU_MS_PER_CALL = 5.0
MOST_PEAK_MB = 1_536.0
ORDINARY_TRACE_BYTES = 12_000
LARGE_TRACES = 2_000
LARGE_TRACE_BYTES = 200_000


@dataclass(frozen=True)
class Measured:
    """One run of the fleet, with or without the merges after it."""

    what: str
    traces: int
    calls: int
    wall_s: float
    most_wall_s: float
    cpu_ms_per_call: float
    most_cpu_ms_per_call: float
    peak_mb: float
    lessons: int
    failures: int
    tokens_in_traces: int
    tokens_sent: int

    def broken(self) -> list[str]:
        """The limits that do not hold."""
        limits = {
            f"wall {self.wall_s:.1f} s": self.wall_s <= self.most_wall_s,
            f"{self.calls} calls for {self.traces} traces": self.calls <= MOST_CALLS_PER_TRACE * self.traces,
            f"{self.cpu_ms_per_call:.1f} ms CPU a call": self.cpu_ms_per_call < self.most_cpu_ms_per_call,
            f"peak {self.peak_mb:.0f} MB": self.peak_mb < MOST_PEAK_MB,
            f"{self.failures} failures": self.failures == 0,
        }
        return [f"{self.what}: {limit}" for limit, holds in limits.items() if not holds]


def main() -> int:
    """Measure, print a table, keep a report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=400)
    parser.add_argument("--delay", type=float, default=1.0, help="seconds per reply")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--large", type=int, default=LARGE_TRACES, help="traces of 200 KB; 0 leaves them out")
    chosen = parser.parse_args()
    with local_endpoint(chosen.delay) as base_url:
        settings = LLMSettings(base_url=base_url, model="local-model", max_in_flight=chosen.in_flight)
        measured = [_apart(partial(measure_run, settings, chosen.traces, chosen.delay))]
    if chosen.large:
        with local_endpoint(0.0) as base_url:
            settings = LLMSettings(base_url=base_url, model="local-model", max_in_flight=chosen.in_flight)
            measured.append(_apart(partial(measure_memory, settings, chosen.large)))
    _show(measured)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps([asdict(row) for row in measured], indent=1))
    broken = [problem for row in measured for problem in row.broken()]
    for problem in broken:
        print(f"over the limit: {problem}", file=sys.stderr)
    return 1 if broken else 0


def measure_run(settings: LLMSettings, traces: int, delay_s: float) -> Measured:
    """Analyses and merges of ordinary traces: time, CPU and calls."""
    records = many_records(traces, padding=ORDINARY_TRACE_BYTES)
    siblings = by_task(records)
    _warm_up(settings)
    before = calls_received(settings)
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as cache:
        report = analyse_traces(records, lambda r: siblings[r.task_id], settings, Path(cache))
        with LLMMerger(settings, Path(cache), StatisticalMerger(), skill="booking") as merger:
            consolidate(report.lessons, skill="booking", min_tasks=2, merger=merger)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    calls = calls_received(settings) - before
    most_wall = 1.2 * calls * delay_s / settings.max_in_flight + 5.0
    limits = (most_wall, MOST_CPU_MS_PER_CALL)
    return _measured("traces of 12 KB, merges included", traces, calls, wall, cpu, limits, report)


def measure_memory(settings: LLMSettings, traces: int) -> Measured:
    """Analyses of large traces that are all in memory, as a batch from the store is."""
    records = many_records(traces, padding=LARGE_TRACE_BYTES)
    before = calls_received(settings)
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as cache:
        report = analyse_traces(records, lambda _: (), settings, Path(cache))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    calls = calls_received(settings) - before
    return _measured("traces of 200 KB", traces, calls, wall, cpu, (math.inf, math.inf), report)


def _warm_up(settings: LLMSettings) -> None:
    """Have everything imported that a first call imports: that is a cost of starting, not of calls."""
    with tempfile.TemporaryDirectory() as cache:
        analyse_traces(many_records(2), lambda _: (), settings, Path(cache))


def _measured(
    what: str,
    traces: int,
    calls: int,
    wall_s: float,
    cpu_s: float,
    limits: tuple[float, float],
    report: FleetReport,
) -> Measured:
    return Measured(
        what=what,
        traces=traces,
        calls=calls,
        wall_s=wall_s,
        most_wall_s=limits[0],
        cpu_ms_per_call=1_000 * cpu_s / max(1, calls),
        most_cpu_ms_per_call=limits[1],
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
        lessons=len(report.lessons),
        failures=len(report.failures),
        tokens_in_traces=report.tokens_in_traces,
        tokens_sent=report.tokens_sent,
    )


def _apart(measure: Callable[[], Measured]) -> Measured:
    """The measurement in a process of its own, so that memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure)


@contextmanager
def local_endpoint(delay_s: float) -> Iterator[str]:
    command = [sys.executable, "-m", "t2s_pipeline_tests.llm.server", "--delay", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def calls_received(settings: LLMSettings) -> int:
    """Chat requests the endpoint has had so far, as it counts them."""
    with urllib.request.urlopen(f"{settings.base_url}/stats") as answer:
        return int(json.load(answer)["chats"])


def _show(measured: Sequence[Measured]) -> None:
    table = Table(title="analyst fleet")
    for column in ("", "traces", "calls", "wall s", "limit s", "CPU ms/call", "peak MB", "lessons"):
        table.add_column(column)
    table.add_column("tokens sent of tokens in traces")
    for row in measured:
        table.add_row(
            row.what,
            f"{row.traces:,}",
            f"{row.calls:,}",
            f"{row.wall_s:.1f}",
            "-" if row.most_wall_s == math.inf else f"{row.most_wall_s:.1f}",
            f"{row.cpu_ms_per_call:.1f}",
            f"{row.peak_mb:.0f}",
            f"{row.lessons:,}",
            f"{row.tokens_sent:,} of {row.tokens_in_traces:,}",
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
