"""What several processes can rely on: no row lost, none twice, whoever dies or holds the file."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from t2s_pipeline.errors import StoreBusy
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store.stage import hidden_prefix, staged_names
from t2s_pipeline.store.store import Store
from t2s_pipeline_tests.store.builders import batch_tables
from t2s_pipeline_tests.store.writers import own_traces, write_and_rewrite, write_one, write_until_killed

SPAWN = multiprocessing.get_context("spawn")

pytestmark = pytest.mark.slow  # real processes

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path / "data")


@contextmanager
def held_open(paths: DataPaths, mode: str = "write") -> Iterator[subprocess.Popen[str]]:
    """Another program with the database file open; ends when told, or when the block ends."""
    command = [sys.executable, "-c", HOLD, str(paths.database), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        yield holder
        if holder.poll() is None:
            holder.communicate("close\n")


def run_all(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


@pytest.mark.parametrize(
    ("writers", "batches"), [(3, 3), pytest.param(8, 20, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_processes_that_write_and_rewrite_at_once_lose_and_double_nothing(
    paths: DataPaths, writers: int, batches: int
) -> None:
    barrier = SPAWN.Barrier(writers)

    run_all(
        [
            SPAWN.Process(target=write_and_rewrite, args=(paths.root, writer, batches, barrier))
            for writer in range(writers)
        ]
    )

    stored = Store(paths).query("SELECT batch, trace_id FROM traces ORDER BY ALL").rows()
    expected = [
        (f"b-{writer}-{number}", trace_id)
        for writer in range(writers)
        for number in range(batches)
        for trace_id in own_traces(writer, number)
    ]
    assert stored == sorted([*expected, ("shared", "t-shared")])
    doubled = "SELECT trace_id, step_id FROM steps GROUP BY ALL HAVING count(*) > 1"
    assert Store(paths).query(doubled).is_empty()
    assert Store(paths).query("SELECT count(*) FROM steps").item() == 2 * len(stored)
    assert Store(paths).query("SELECT count(*) FROM batch_stages").item() == writers * batches + 1
    assert staged_names(paths.stage) == []


def test_a_trace_in_two_batches_that_land_at_once_is_counted_once(paths: DataPaths) -> None:
    barrier = SPAWN.Barrier(2)

    run_all([SPAWN.Process(target=write_one, args=(paths.root, batch, barrier)) for batch in ("b1", "b2")])

    store = Store(paths)
    assert store.query("SELECT count(*) FROM traces WHERE trace_id = 't-same'").item() == 1
    assert store.query("SELECT count(*) FROM steps WHERE trace_id = 't-same'").item() == 2
    counts = store.query("SELECT sum(traces)::INT, sum(duplicates)::INT FROM batch_stages").rows()
    assert counts == [(3, 1)]


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.slow)], ids=["few", "many"])
def test_a_writer_killed_at_any_moment_loses_nothing_that_was_staged(
    paths: DataPaths, tmp_path: Path, kills: int
) -> None:
    moments = random.Random(kills)
    log = tmp_path / "staged.log"
    log.touch()

    for writer in range(kills):
        before = log.stat().st_size
        process = SPAWN.Process(target=write_until_killed, args=(paths.root, writer, log))
        process.start()
        started = time.monotonic()
        while log.stat().st_size == before and time.monotonic() - started < 60:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.4))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)

    stored = Store(paths).query("SELECT batch, count(*) FROM traces GROUP BY batch").rows()
    noted = log.read_text(encoding="utf-8").split()
    assert set(noted) <= {batch for batch, _ in stored}
    assert {count for _, count in stored} == {5}
    steps = Store(paths).query("SELECT count(*) FROM steps").item()
    assert steps == 2 * 5 * len(stored)
    assert [entry.name for entry in paths.stage.iterdir()] == [".order.lock"]


def test_a_program_that_holds_the_file_delays_a_write_and_nothing_is_lost(paths: DataPaths) -> None:
    store = Store(paths, lock_timeout_s=0.3)
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))

    with held_open(paths) as holder:
        report = store.replace({"batch": "b2"}, batch_tables("b2", ["t-2"]))
        with pytest.raises(StoreBusy, match="Nothing is lost"):
            store.load_staged()
        with pytest.raises(StoreBusy, match=f"PID {holder.pid}"):
            store.query("SELECT * FROM traces")

    assert report.sets == ()
    assert len(report.pending) == 1
    assert f"PID {holder.pid}" in report.message
    assert "Close that program" in report.message
    assert store.query("SELECT trace_id FROM traces ORDER BY 1").rows() == [("t-1",), ("t-2",)]


def test_a_write_waits_for_a_program_that_closes_the_file_in_time(paths: DataPaths) -> None:
    store = Store(paths, lock_timeout_s=30)
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))

    with held_open(paths) as holder:
        closing = threading.Timer(0.4, holder.communicate, ["close\n"])
        closing.start()
        report = store.replace({"batch": "b2"}, batch_tables("b2", ["t-2"]))
        closing.join()

    assert (report.traces, report.pending) == (1, ())


def test_a_program_that_only_reads_does_not_keep_us_from_reading(paths: DataPaths) -> None:
    store = Store(paths, lock_timeout_s=0.3)
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))

    with held_open(paths, "read"):
        found = store.query("SELECT trace_id FROM traces").rows()
        report = store.replace({"batch": "b2"}, batch_tables("b2", ["t-2"]))

    assert found == [("t-1",)]
    assert len(report.pending) == 1
    assert store.query("SELECT count(*) FROM traces").item() == 2


def test_what_a_dead_process_left_half_written_is_cleared_and_what_a_live_one_writes_is_not(
    paths: DataPaths,
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    store = Store(paths)
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))
    left = paths.stage / f"{hidden_prefix(dead.pid)}abc"
    alive = paths.stage / f"{hidden_prefix(os.getpid())}abc"
    half_removed = paths.stage / ".loaded-000000000001-batch_b0-abc"
    for directory in (left, alive, half_removed):
        directory.mkdir()

    store.replace({"batch": "b2"}, batch_tables("b2", ["t-2"]))

    assert sorted(entry.name for entry in paths.stage.iterdir()) == [".order.lock", alive.name]
