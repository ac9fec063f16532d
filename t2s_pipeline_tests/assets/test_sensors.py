"""What starts runs by itself. The plain functions are tested with values, the sensors on a real instance."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.assets.instance import instance_at
from t2s_pipeline.assets.jobs import consolidate_skill
from t2s_pipeline.assets.partitions import PARTITION_TAG, SKILLS, TRACE_BATCHES, keys_of_run, range_tags
from t2s_pipeline.assets.sensors import (
    MAX_ATTEMPTS,
    MAX_NEW_PARTITIONS,
    InboxCursor,
    consolidations_to_request,
    inbox_sensor,
    lessons_landed,
    overdue,
    overdue_skills,
    plan_requests,
)
from t2s_pipeline.definitions import build_definitions
from t2s_pipeline.outstanding import SkillInputs, inputs_of, record_made, skills_behind
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.traces.inbox import Batch, load_batch
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.assets.builders import drop, pipeline_in


def batch(key: str) -> Batch:
    return Batch(key=key, skill=key.partition(".")[0], slices=(), traces=1)


def test_new_batches_of_a_skill_become_one_run() -> None:
    plan = plan_requests([batch("a.1"), batch("a.2"), batch("b.1")], [], set(), InboxCursor())

    assert [one.key for one in plan.new] == ["a.1", "a.2", "b.1"]
    assert plan.ranges == [["a.1", "a.2"], ["b.1"]]


def test_a_batch_that_a_run_is_working_on_is_not_asked_for_again() -> None:
    plan = plan_requests([batch("a.1"), batch("a.2")], ["a.1", "a.2"], {"a.1"}, InboxCursor())

    assert plan.ranges == [["a.2"]]
    assert plan.new == []


def test_a_batch_whose_run_was_killed_is_asked_for_again_under_another_key() -> None:
    first = plan_requests([batch("a.1")], [], set(), InboxCursor())
    second = plan_requests([batch("a.1")], ["a.1"], set(), first.cursor)

    assert first.ranges == second.ranges == [["a.1"]]
    assert first.cursor.requests != second.cursor.requests


def test_a_batch_that_was_tried_before_gets_a_run_of_its_own() -> None:
    """One bad batch must not keep the others of its range from ever being finished."""
    batches = [batch("a.1"), batch("a.2"), batch("a.3")]
    first = plan_requests(batches, [], set(), InboxCursor())

    second = plan_requests(batches, ["a.1", "a.2", "a.3"], set(), first.cursor)

    assert first.ranges == [["a.1", "a.2", "a.3"]]
    assert second.ranges == [["a.1"], ["a.2"], ["a.3"]]


def test_a_batch_that_always_fails_is_given_up_after_a_few_attempts() -> None:
    cursor = InboxCursor()
    asked = 0
    for _ in range(MAX_ATTEMPTS + 3):
        plan = plan_requests([batch("a.1")], ["a.1"], set(), cursor)
        asked += len(plan.ranges)
        cursor = plan.cursor

    assert asked == MAX_ATTEMPTS


def test_a_batch_that_was_finished_and_is_new_again_starts_counting_from_zero() -> None:
    worn_out = InboxCursor(requests=3, attempts={"a.1": MAX_ATTEMPTS})
    finished = plan_requests([batch("b.1")], ["a.1"], set(), worn_out)

    plan = plan_requests([batch("a.1")], ["a.1", "b.1"], set(), finished.cursor)

    assert plan.ranges == [["a.1"]]


def test_a_huge_landing_is_registered_over_several_ticks() -> None:
    batches = [batch(f"a.{number:05d}") for number in range(MAX_NEW_PARTITIONS + 10)]

    first = plan_requests(batches, [], set(), InboxCursor())
    registered = [one.key for one in first.new]
    second = plan_requests(batches, registered, set(registered), first.cursor)

    assert len(first.new) == MAX_NEW_PARTITIONS
    assert [one.key for one in second.new] == [one.key for one in batches[MAX_NEW_PARTITIONS:]]


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_every_idle_unfinished_batch_is_in_exactly_one_run(unfinished: set[int], busy: set[int]) -> None:
    """Law: the runs asked for cover the unfinished batches that no run is working on, each once."""
    registered = [f"a.{number}" for number in range(10)]
    wanted = [batch(f"a.{number}") for number in sorted(unfinished)]

    plan = plan_requests(wanted, registered, {f"a.{number}" for number in busy}, InboxCursor())

    covered = [key for keys in plan.ranges for key in keys_of_run(range_tags(keys), registered)]
    assert sorted(covered) == [f"a.{number}" for number in sorted(unfinished - busy)]


def test_every_skill_that_is_behind_gets_a_consolidation_unless_one_is_waiting() -> None:
    behind = [SkillInputs("a", "1"), SkillInputs("b", "1")]

    requests = consolidations_to_request(behind, {"b"}, "event")

    assert [(request.partition_key, request.run_key) for request in requests] == [("a", "a@event")]


def test_a_skill_that_stays_behind_gets_one_consolidation_for_what_it_is_behind() -> None:
    behind = [SkillInputs("a", "1"), SkillInputs("b", "2"), SkillInputs("c", "1"), SkillInputs("d", "1")]

    requests = overdue(behind, {"a": "1", "b": "1", "c": "1"}, {"c"})

    # b changed since, c is being worked on, d was up to date a tick ago.
    assert [(request.partition_key, request.run_key) for request in requests] == [("a", "a=1")]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return pipeline_in(tmp_path, batch_traces=1)


@pytest.fixture
def instance(pipeline: Pipeline) -> Iterator[dg.DagsterInstance]:
    """On disk, because Dagster validates the partitions of a tick only against such an instance."""
    with instance_at(pipeline.paths) as made:
        yield made


def tick_inbox(
    pipeline: Pipeline, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    """One tick of the inbox sensor, with the effects that Dagster's daemon would apply."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = inbox_sensor(context, pipeline=pipeline)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    if isinstance(result, dg.SensorResult):
        for request in result.dynamic_partitions_requests or ():
            instance.add_dynamic_partitions(TRACE_BATCHES, list(request.partition_keys))
    return result


def settle(path: Path) -> None:
    """Make a file look as if nobody has written to it for a while."""
    then = (datetime.now(tz=UTC) - timedelta(minutes=1)).timestamp()
    os.utime(path, (then, then))


def test_a_file_in_the_inbox_becomes_partitions_and_a_run(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    settle(drop(pipeline, "booking", "a.jsonl", range(3)))

    result = tick_inbox(pipeline, instance)

    assert isinstance(result, dg.SensorResult)
    keys = instance.get_dynamic_partitions(TRACE_BATCHES)
    (request,) = result.run_requests or ()
    assert len(keys) == 3
    assert keys_of_run(request.tags, keys) == list(keys)
    assert [event.partition for event in result.asset_events] == list(keys)


def test_a_file_that_is_still_being_written_waits_for_a_later_tick(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    path = drop(pipeline, "booking", "a.jsonl", range(1))

    early = tick_inbox(pipeline, instance)
    settle(path)
    late = tick_inbox(pipeline, instance)

    assert isinstance(early, dg.SkipReason)
    assert isinstance(late, dg.SensorResult)


def test_an_empty_inbox_starts_nothing(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    assert isinstance(tick_inbox(pipeline, instance), dg.SkipReason)


def analyse(pipeline: Pipeline, instance: dg.DagsterInstance, key: str) -> None:
    """A batch lands: its lessons are in the store, and Dagster has the event. Cheaper than a run."""
    ingest_batches(pipeline.store, pipeline.paths, pipeline.settings, [load_batch(pipeline.paths, key)])
    analyse_batches(pipeline.store, pipeline.settings, [key])
    instance.report_runless_asset_event(dg.AssetMaterialization("lessons", partition=key))


class Daemon:
    """Ticks `lessons_landed` as Dagster's daemon does: it keeps the cursor, drops requests whose run key it
    has seen, and queues a run for each of the others."""

    def __init__(self, pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
        self._pipeline = pipeline
        self._instance = instance
        self._cursor: str | None = None
        self._keys: set[str] = set()
        self.requested: list[str] = []

    def tick(self) -> None:
        with dg.build_sensor_context(
            instance=self._instance,
            instance_ref=self._instance.get_ref(),
            cursor=self._cursor,
            definitions=build_definitions(self._pipeline.settings),
            resources={"pipeline": self._pipeline},
        ) as context:
            result = lessons_landed.evaluate_tick(context)
        self._cursor = result.cursor
        for added in result.dynamic_partitions_requests or ():
            self._instance.add_dynamic_partitions(SKILLS, list(added.partition_keys))
        for request in result.run_requests or ():
            assert request.run_key not in self._keys
            self._keys.add(str(request.run_key))
            self.requested.append(str(request.partition_key))
            self._instance.create_run_for_job(
                job_def=build_definitions(self._pipeline.settings).resolve_job_def("consolidate_skill"),
                status=dg.DagsterRunStatus.NOT_STARTED,
                tags={PARTITION_TAG: str(request.partition_key)},
            )

    def start_next(self) -> dg.DagsterRun | None:
        """Begin the oldest queued run; it has not read anything when this returns."""
        queued = self._instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED]))
        if not queued:
            return None
        run = queued[-1]
        self._instance.delete_run(run.run_id)
        return run

    def work_off(self, run: dg.DagsterRun) -> None:
        """What the run does."""
        job = build_definitions(self._pipeline.settings).resolve_job_def(consolidate_skill.name)
        assert job.execute_in_process(
            instance=self._instance,
            resources={"pipeline": self._pipeline},
            partition_key=run.tags[PARTITION_TAG],
        ).success


@pytest.mark.slow
def test_a_burst_of_batches_leads_to_few_consolidations_and_none_is_lost(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    """50 batches of two skills land one by one; the daemon ticks now and then and works slowly."""
    drop(pipeline, "booking", "a.jsonl", range(25))
    drop(pipeline, "seating", "b.jsonl", range(100, 125))
    for skill in ("booking", "seating"):
        for path in (pipeline.paths.inbox / skill).iterdir():
            settle(path)
    tick_inbox(pipeline, instance)
    keys = list(instance.get_dynamic_partitions(TRACE_BATCHES))
    daemon = Daemon(pipeline, instance)

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
    settle(drop(pipeline, "booking", "a.jsonl", range(2)))
    tick_inbox(pipeline, instance)
    first, second = instance.get_dynamic_partitions(TRACE_BATCHES)
    daemon = Daemon(pipeline, instance)
    analyse(pipeline, instance, first)
    daemon.tick()
    running = daemon.start_next()
    assert running is not None
    instance.add_run(running.with_status(dg.DagsterRunStatus.STARTED))

    analyse(pipeline, instance, second)
    daemon.tick()

    assert daemon.requested == ["booking", "booking"]


def test_a_base_skill_that_a_person_edited_leads_to_a_consolidation(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    settle(drop(pipeline, "booking", "a.jsonl", range(1)))
    tick_inbox(pipeline, instance)
    (key,) = instance.get_dynamic_partitions(TRACE_BATCHES)
    analyse(pipeline, instance, key)
    record_made(pipeline, "directory", inputs_of(pipeline, "booking"))
    base = pipeline.paths.base / "booking" / "SKILL.md"
    base.parent.mkdir(parents=True)
    base.write_text("---\nname: booking\ndescription: x\n---\n", encoding="utf-8")

    first = tick_overdue(pipeline, instance, None)
    second = tick_overdue(pipeline, instance, first.cursor)

    assert not first.run_requests
    assert [request.partition_key for request in second.run_requests or ()] == ["booking"]
    assert [event.asset_key.to_user_string() for event in second.asset_events] == ["base_skill"]


def tick_overdue(pipeline: Pipeline, instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        result = overdue_skills(context, pipeline=pipeline)
    assert isinstance(result, dg.SensorResult)
    return result
