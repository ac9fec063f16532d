"""What the writing processes of the tests do. Imports little, so that they start quickly."""

from __future__ import annotations

from multiprocessing.synchronize import Barrier
from pathlib import Path

from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store.store import Store
from t2s_pipeline_tests.store.builders import batch_tables


def own_traces(writer: int, number: int) -> list[str]:
    return [f"t-{writer}-{number}-{index}" for index in range(5)]


def write_and_rewrite(root: Path, writer: int, batches: int, barrier: Barrier) -> None:
    """Write own batches and one that all writers share, then write all of them once more."""
    store = Store(DataPaths(root))
    barrier.wait(60)
    for _ in range(2):
        for number in range(batches):
            batch = f"b-{writer}-{number}"
            report = store.replace({"batch": batch}, batch_tables(batch, own_traces(writer, number)))
            assert (report.traces, report.pending) == (5, ())
        store.replace({"batch": "shared"}, batch_tables("shared", ["t-shared"]))


def write_one(root: Path, batch: str, barrier: Barrier) -> None:
    barrier.wait(60)
    Store(DataPaths(root)).replace({"batch": batch}, batch_tables(batch, ["t-same", f"t-{batch}"]))


def write_until_killed(root: Path, writer: int, log: Path) -> None:
    """Stage batch after batch, noting each in the log once it is staged."""
    store = Store(DataPaths(root))
    number = 0
    with log.open("a", encoding="utf-8") as staged:
        while True:
            batch = f"b-{writer}-{number}"
            store.stage({"batch": batch}, batch_tables(batch, own_traces(writer, number)))
            staged.write(f"{batch}\n")
            staged.flush()
            store.load_staged()
            number += 1
