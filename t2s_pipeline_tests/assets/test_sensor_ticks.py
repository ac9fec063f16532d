"""The sensors on a real instance, ticked as Dagster's daemon does."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.assets.instance import instance_at
from t2s_pipeline.assets.partitions import PARTITION_TAG, TRACE_BATCHES
from t2s_pipeline.assets.sensors import MAX_ATTEMPTS, inbox_sensor, lessons_landed, overdue_skills
from t2s_pipeline.outstanding import ask_again, inputs_of, record_made, skills_behind, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.traces.inbox import load_batch
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.assets.builders import drop, pipeline_in
from t2s_pipeline_tests.assets.daemon import Daemon, covered

pytestmark = pytest.mark.slow


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return pipeline_in(tmp_path, batch_traces=1)


@pytest.fixture
def instance(pipeline: Pipeline) -> Iterator[dg.DagsterInstance]:
    """On disk, because Dagster validates the partitions of a tick only against such an instance."""
    with instance_at(pipeline.paths) as made:
        yield made


def settle(path: Path) -> None:
    """Make a file look as if nobody has written to it for a while."""
    then = (datetime.now(tz=UTC) - timedelta(minutes=1)).timestamp()
    os.utime(path, (then, then))


@pytest.fixture
def inbox(pipeline: Pipeline, instance: dg.DagsterInstance) -> Daemon:
    return Daemon(pipeline, instance, inbox_sensor)


def test_a_file_in_the_inbox_becomes_partitions_and_a_run(
    pipeline: Pipeline, instance: dg.DagsterInstance, inbox: Daemon
) -> None:
    settle(drop(pipeline, "booking", "a.jsonl", range(3)))

    (run,) = inbox.tick()

    keys = list(instance.get_dynamic_partitions(TRACE_BATCHES))
    assert len(keys) == 3
    assert covered(dict(run.tags), instance) == keys
    assert inbox.events == [f"trace_inbox:{key}" for key in keys]


def test_a_file_that_is_still_being_written_waits_for_a_later_tick(pipeline: Pipeline, inbox: Daemon) -> None:
    path = drop(pipeline, "booking", "a.jsonl", range(1))

    early = inbox.tick()
    settle(path)
    late = inbox.tick()

    assert (len(early), len(late)) == (0, 1)


def test_an_empty_inbox_starts_nothing(inbox: Daemon) -> None:
    assert inbox.tick() == []
    assert inbox.skipped == "nothing new in the inbox"


def test_a_batch_is_run_again_each_time_its_outcomes_change(
    pipeline: Pipeline, instance: dg.DagsterInstance, inbox: Daemon
) -> None:
    """Runs that succeed are no failed attempts, however many they are."""
    path = drop(pipeline, "booking", "a.jsonl", range(1))
    settle(path)
    started = []
    for edit in range(MAX_ATTEMPTS + 2):
        if edit:
            outcomes = path.parent / "outcomes.csv"
            outcomes.write_text(f"task_id,reward\ntask-0,{edit / 10}\n")
            settle(outcomes)
        started.append(len(inbox.tick()))
        if inbox.start_next():
            analyse(pipeline, instance, "booking.00001.0000")
        started.append(len(inbox.tick()))

    assert started == [1, 0] * (MAX_ATTEMPTS + 2)
    assert unfinished_batches(pipeline) == []


def test_attempts_at_a_batch_are_forgotten_at_the_tick_that_finds_it_finished(
    pipeline: Pipeline, instance: dg.DagsterInstance, inbox: Daemon
) -> None:
    """Also when it is the same batch with the same outcomes that has to be done anew."""
    settle(drop(pipeline, "booking", "a.jsonl", range(1)))
    started = []
    for _ in range(MAX_ATTEMPTS + 2):
        started += [len(inbox.tick())]
        if inbox.start_next():
            analyse(pipeline, instance, "booking.00001.0000")
        inbox.tick()
        ask_again(pipeline, ["booking.00001.0000"], ["lessons"])

    assert started == [1] * (MAX_ATTEMPTS + 2)


def test_a_batch_that_is_given_up_is_named_with_what_to_do(pipeline: Pipeline, inbox: Daemon) -> None:
    settle(drop(pipeline, "booking", "a.jsonl", range(1)))

    for _ in range(MAX_ATTEMPTS + 1):
        inbox.tick()
        inbox.start_next()  # and it fails

    assert len(inbox.requested) == MAX_ATTEMPTS
    assert inbox.skipped is not None
    assert "booking.00001.0000" in inbox.skipped and "`t2s run`" in inbox.skipped


def analyse(pipeline: Pipeline, instance: dg.DagsterInstance, key: str) -> None:
    """A batch lands: its lessons are in the store, and Dagster has the event. Cheaper than a run."""
    ingest_batches(pipeline.store, pipeline.paths, pipeline.settings, [load_batch(pipeline.paths, key)])
    analyse_batches(pipeline.store, pipeline.settings, [key])
    instance.report_runless_asset_event(dg.AssetMaterialization("lessons", partition=key))


def landed(pipeline: Pipeline, instance: dg.DagsterInstance) -> list[str]:
    """Keys of the batches of what lies in the inbox; no run is left waiting."""
    for path in pipeline.paths.inbox.rglob("*.jsonl"):
        settle(path)
    inbox = Daemon(pipeline, instance, inbox_sensor)
    inbox.tick()
    while inbox.start_next():
        pass
    return list(instance.get_dynamic_partitions(TRACE_BATCHES))


@pytest.mark.slow
def test_a_burst_of_batches_leads_to_few_consolidations_and_none_is_lost(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    """50 batches of two skills land one by one; the daemon ticks now and then and works slowly."""
    drop(pipeline, "booking", "a.jsonl", range(25))
    drop(pipeline, "seating", "b.jsonl", range(100, 125))
    keys = landed(pipeline, instance)
    daemon = Daemon(pipeline, instance, lessons_landed)

    # Interleaved, so that the newest event is nearly always of another skill than the one before.
    for number, key in enumerate(key for pair in zip(keys[:25], keys[25:], strict=True) for key in pair):
        analyse(pipeline, instance, key)
        if number % 7 == 6:
            daemon.tick()
        if number % 20 == 19 and (run := daemon.start_next()):
            daemon.work_off(run)
    daemon.tick()
    while run := daemon.start_next():
        daemon.work_off(run)

    assert skills_behind(pipeline) == []
    assert set(daemon.requested) == {"booking", "seating"}
    assert 2 <= len(daemon.requested) <= 6


def test_lessons_that_land_while_a_consolidation_runs_get_another_one(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    """The running one may have read its lessons before the new ones were there."""
    drop(pipeline, "booking", "a.jsonl", range(2))
    first, second = landed(pipeline, instance)
    daemon = Daemon(pipeline, instance, lessons_landed)
    analyse(pipeline, instance, first)
    daemon.tick()
    running = daemon.start_next()
    assert running is not None
    instance.add_run(running.with_status(dg.DagsterRunStatus.STARTED))

    analyse(pipeline, instance, second)
    daemon.tick()

    assert daemon.requested == ["booking", "booking"]


@pytest.fixture
def overdue_daemon(pipeline: Pipeline, instance: dg.DagsterInstance) -> Daemon:
    """Of a skill whose lessons are in the store and that is up to date."""
    drop(pipeline, "booking", "a.jsonl", range(1))
    (key,) = landed(pipeline, instance)
    analyse(pipeline, instance, key)
    made(pipeline)
    return Daemon(pipeline, instance, overdue_skills)


def made(pipeline: Pipeline) -> None:
    """A consolidation succeeds. Cheaper than a run."""
    record_made(pipeline, "directory", inputs_of(pipeline, "booking"))


def edit_base(pipeline: Pipeline, description: str) -> None:
    base = pipeline.paths.base / "booking" / "SKILL.md"
    base.parent.mkdir(parents=True, exist_ok=True)
    base.write_text(f"---\nname: booking\ndescription: {description}\n---\n", encoding="utf-8")


def test_a_base_skill_that_a_person_edited_leads_to_a_consolidation(
    pipeline: Pipeline, overdue_daemon: Daemon
) -> None:
    edit_base(pipeline, "x")

    first = overdue_daemon.tick()
    second = overdue_daemon.tick()

    assert first == []
    assert [run.tags[PARTITION_TAG] for run in second] == ["booking"]
    assert overdue_daemon.events == ["base_skill:booking"]


def test_a_base_skill_that_a_person_put_back_is_consolidated_again(
    pipeline: Pipeline, overdue_daemon: Daemon
) -> None:
    for description in ("B", "C", "B"):
        edit_base(pipeline, description)
        overdue_daemon.tick()
        overdue_daemon.tick()
        if overdue_daemon.start_next():
            made(pipeline)

    assert overdue_daemon.requested == ["booking"] * 3
    assert skills_behind(pipeline) == []


def test_a_skill_that_was_given_up_is_tried_again_when_a_person_says_what_may_be_named(
    tmp_path: Path, pipeline: Pipeline, instance: dg.DagsterInstance, overdue_daemon: Daemon
) -> None:
    edit_base(pipeline, "x")
    for _ in range(MAX_ATTEMPTS + 2):
        overdue_daemon.tick()
        overdue_daemon.start_next()  # and it fails
    given_up = overdue_daemon.skipped

    opened = pipeline_in(tmp_path, batch_traces=1, redaction={"keep": ["desk@corp-mail.com"]})
    overdue_daemon.restart_with(opened)
    analyse(opened, instance, "booking.00001.0000")
    overdue_daemon.tick()
    overdue_daemon.tick()

    assert given_up is not None and "booking" in given_up
    assert overdue_daemon.requested == ["booking"] * (MAX_ATTEMPTS + 1)
