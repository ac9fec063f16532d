"""Runs whose process was killed. Dagster alone would hold them for under way for ever."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from t2s_pipeline.assets.instance import instance_at
from t2s_pipeline.assets.liveness import IN_PROCESS_TAG, STARTING_TIME, alive, lock_file, settle_dead_runs
from t2s_pipeline.assets.team import MODEL_ENDPOINT
from t2s_pipeline.definitions import build_definitions
from t2s_pipeline.settings import DataPaths, Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path)


def started_run(
    instance: dg.DagsterInstance, paths: DataPaths, tags: dict[str, str] | None = None
) -> dg.DagsterRun:
    job = build_definitions(Settings(data=paths.root)).resolve_job_def("analyse_batch")
    return instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_whose_process_is_gone_is_reported_as_failed(paths: DataPaths) -> None:
    with instance_at(paths) as instance:
        run = started_run(instance, paths)

        settled = settle_dead_runs(instance, paths, now=datetime.now(tz=UTC) + 2 * STARTING_TIME)

        assert settled == [run.run_id]
        assert status_of(instance, run) == dg.DagsterRunStatus.FAILURE


def test_a_dead_run_gives_back_its_place_in_a_pool(paths: DataPaths) -> None:
    """It would otherwise block the pool of the model endpoint for ever."""
    with instance_at(paths) as instance:
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default(MODEL_ENDPOINT)
        run = started_run(instance, paths, {IN_PROCESS_TAG: "true"})
        storage.claim_concurrency_slot(MODEL_ENDPOINT, run.run_id, "lessons")
        before = storage.get_concurrency_info(MODEL_ENDPOINT).active_slot_count

        settle_dead_runs(instance, paths, now=datetime.now(tz=UTC))

        assert before == 1
        assert storage.get_concurrency_info(MODEL_ENDPOINT).active_slot_count == 0


def test_a_run_that_holds_its_lock_is_left_alone(paths: DataPaths) -> None:
    with instance_at(paths) as instance:
        run = started_run(instance, paths)

        with alive(paths, run.run_id):
            settled = settle_dead_runs(instance, paths, now=datetime.now(tz=UTC) + timedelta(hours=5))

        assert settled == []
        assert status_of(instance, run) == dg.DagsterRunStatus.STARTED
        assert not lock_file(paths, run.run_id).exists()


def test_a_run_that_was_started_just_now_is_given_time_to_reach_its_lock(paths: DataPaths) -> None:
    with instance_at(paths) as instance:
        started_run(instance, paths)

        assert settle_dead_runs(instance, paths, now=datetime.now(tz=UTC)) == []


def test_a_run_of_the_command_line_needs_no_such_time(paths: DataPaths) -> None:
    """It takes its lock before Dagster knows it, so after a kill `t2s run` can be typed again at once."""
    with instance_at(paths) as instance:
        run = started_run(instance, paths, {IN_PROCESS_TAG: "true"})

        assert settle_dead_runs(instance, paths, now=datetime.now(tz=UTC)) == [run.run_id]


def test_a_killed_process_lets_go_of_its_lock(paths: DataPaths) -> None:
    code = (
        "import sys, time; from t2s_pipeline.assets.liveness import alive; "
        "from t2s_pipeline.settings import DataPaths; from pathlib import Path\n"
        "with alive(DataPaths(Path(sys.argv[1])), sys.argv[2]): print('held', flush=True); time.sleep(60)"
    )
    with instance_at(paths) as instance:
        run = started_run(instance, paths, {IN_PROCESS_TAG: "true"})
        command = [sys.executable, "-c", code, str(paths.root), run.run_id]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            while_held = settle_dead_runs(instance, paths, now=datetime.now(tz=UTC))
            holder.kill()
            holder.wait()

        after = settle_dead_runs(instance, paths, now=datetime.now(tz=UTC))

    assert while_held == []
    assert after == [run.run_id]
