"""Which runs are alive. Dagster believes for ever that a run is under way when its process was killed; such
a run holds a place in the queue and its batches would never be tried again. So a run holds a file lock,
which the operating system lets go of when the process ends in whatever way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from t2s_pipeline.settings import DataPaths

STARTING_TIME = timedelta(minutes=2)
"""A run that the daemon started this short a time ago may not have reached its lock yet."""

IN_PROCESS_TAG = "t2s/in_process"
"""On runs that `t2s run` executes itself: they hold their lock before Dagster knows them."""

WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
"""States in which a run has not read anything yet."""

UNDER_WAY = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


@contextmanager
def alive(paths: DataPaths, run_id: str) -> Iterator[None]:
    """Mark a run as alive until the block is left or the process ends."""
    try:
        with _lock(paths, run_id):
            yield
    finally:
        lock_file(paths, run_id).unlink(missing_ok=True)


def lock_file(paths: DataPaths, run_id: str) -> Path:
    """The file whose lock a run holds while it is alive."""
    return paths.dagster / "alive" / f"{run_id}.lock"


def unfinished_runs(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """Every run that Dagster holds for waiting or under way."""
    return list(instance.get_run_records(dg.RunsFilter(statuses=[*WAITING, *UNDER_WAY])))


def settle_dead_runs(instance: dg.DagsterInstance, paths: DataPaths, *, now: datetime) -> list[str]:
    """Report runs as failed whose process is gone, and give back their places in pools; returns their ids."""
    dead = [record for record in unfinished_runs(instance) if _is_dead(record, paths, now)]
    for record in dead:
        instance.report_run_failed(record.dagster_run, "The process of this run ended without reporting.")
        # Dagster's daemon would do this too, but `t2s run` works without one.
        instance.event_log_storage.free_concurrency_slots_for_run(record.dagster_run.run_id)
        lock_file(paths, record.dagster_run.run_id).unlink(missing_ok=True)
    return [record.dagster_run.run_id for record in dead]


def _is_dead(record: dg.RunRecord, paths: DataPaths, now: datetime) -> bool:
    run = record.dagster_run
    if run.status not in UNDER_WAY:
        return False
    if IN_PROCESS_TAG not in run.tags and now - record.update_timestamp < STARTING_TIME:
        return False
    lock = _lock(paths, run.run_id)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def _lock(paths: DataPaths, run_id: str) -> FileLock:
    path = lock_file(paths, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)
