"""How fast one core takes in one large JSONL file, redaction included, and whether memory grows with it.

    python -m t2s_pipeline_tests.benchmarks.bench_ingest [--megabytes 100 400 1600]

Every size is read in a process of its own that may use one core only, from a file of synthetic chats that was
written before the clock starts, into a store on disk.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count, cycle
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from t2s_pipeline_tests.benchmarks.bench_pipeline import Measured, run_stages
from t2s_pipeline_tests.benchmarks.synthetic import KINDS, conversation

REPORT = Path("build/bench_ingest.json")


@dataclass(frozen=True)
class Size:
    """One file, taken in."""

    megabytes: float
    traces: int
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def per_second(self) -> float:
        """Megabytes of the file for each second of the core."""
        return self.megabytes / self.cpu_seconds


def write_file(file: Path, megabytes: float, *, seed: int) -> None:
    """One JSONL file of about so many megabytes, its traces those of all kinds of agents in turn."""
    file.parent.mkdir(parents=True)
    kinds = cycle(KINDS)
    size = 0
    with file.open("wb") as lines:
        for number in count():
            if size >= megabytes * 1e6:
                break
            size += lines.write(
                orjson.dumps(conversation(next(kinds), number // len(KINDS), seed=seed)) + b"\n"
            )


def measure(megabytes: float, work: Path | None) -> Size:
    """Write a file of that size and take it in."""
    with tempfile.TemporaryDirectory(prefix="t2s-bench-", dir=work) as directory:
        root = Path(directory)
        write_file(root / "inbox" / "chats" / "chats.jsonl", megabytes, seed=1)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_take_in, args=(theirs, root))
        process.start()
        theirs.close()
        measured = Measured.model_validate_json(ours.recv())
        process.join()
    return Size(
        megabytes=measured.input_mb,
        traces=measured.traces,
        seconds=sum(measured.seconds.values()),
        cpu_seconds=sum(measured.cpu_seconds.values()),
        peak_mb=max(measured.peak_mb.values()),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the numbers as JSON."""
    parser = argparse.ArgumentParser(prog="bench_ingest", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--megabytes", type=float, nargs="+", default=[100, 400, 1600], help="size of the file"
    )
    parser.add_argument("--json", type=Path, default=REPORT, help="where the numbers go")
    parser.add_argument("--work", type=Path, default=None, help="where the data is put while measuring")
    options = parser.parse_args(arguments)
    table = Table(
        "file", "traces", "wall", "CPU", "MB per CPU second", "peak memory", title="Ingest on one core"
    )
    sizes = []
    for megabytes in options.megabytes:
        size = measure(megabytes, options.work)
        sizes.append(size)
        table.add_row(
            f"{size.megabytes:,.0f} MB",
            f"{size.traces:,}",
            f"{size.seconds:.1f} s",
            f"{size.cpu_seconds:.1f} s",
            f"{size.per_second:.1f}",
            f"{size.peak_mb:,.0f} MB",
        )
    Console().print(table)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps([asdict(size) for size in sizes], indent=2) + "\n", encoding="utf-8")


def _take_in(answer: Connection, root: Path) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    answer.send(run_stages(root, ["plan", "ingest"], workers=1).model_dump_json())
    answer.close()


if __name__ == "__main__":
    main()
