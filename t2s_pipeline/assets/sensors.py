"""What starts runs without a click. Each sensor gathers what is known and asks a plain function beside it.

All are level-triggered: they look at what the store and the disk say is left to do. So a missed event, a
skipped tick or a killed run delays work and never loses it. Therefore no run key says what is left to
do: Dagster drops a key for ever once it had a run, and what is left to do can come back. Runs under way are
looked up, and a cursor counts the attempts; it is stored at every tick, also at one that skips.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypedDict

import dagster as dg
from pydantic import BaseModel, ValidationError

from t2s_pipeline.assets import partitions
from t2s_pipeline.assets.consolidation import base_skill
from t2s_pipeline.assets.ingest import trace_inbox
from t2s_pipeline.assets.jobs import analyse_batch, consolidate_skill
from t2s_pipeline.assets.liveness import WAITING, settle_dead_runs, unfinished_runs
from t2s_pipeline.assets.metadata import inbox_metadata
from t2s_pipeline.outstanding import (
    SkillInputs,
    base_digest,
    batches_to_run_unasked,
    plan_inbox,
    skills_behind,
)
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.sources import settings_version
from t2s_pipeline.traces.inbox import Batch

MAX_NEW_PARTITIONS = 256
"""New partitions per tick: a tick has to end well within Dagster's time limit of 60 s."""

MAX_ATTEMPTS = 3
"""Runs a sensor asks for per batch, or per state of a skill. What fails each time waits for a person."""

QUIET = timedelta(seconds=3)
"""A file modified this short a time ago may still be written to."""

_NAMED = 10
"""Names a skip reason lists."""


class Attempts(BaseModel):
    """What a sensor remembers from tick to tick."""

    attempts: dict[str, int] = {}
    """Runs asked for, by what is left to do; what is done is forgotten."""


def remembered(cursor: str | None) -> Attempts:
    """The content of a cursor; nothing for one of another version of this program."""
    try:
        return Attempts.model_validate_json(cursor) if cursor else Attempts()
    except ValidationError:
        return Attempts()


@dataclass(frozen=True)
class InboxPlan:
    """What a tick of the inbox sensor asks for."""

    new: list[Batch]
    """Batches that become partitions."""
    ranges: list[list[str]]
    """Keys of the runs to start: each a contiguous range of batches of one skill."""
    given_up: list[str] = field(default_factory=list)
    """Keys of unfinished batches that were tried too often."""
    cursor: Attempts = field(default_factory=Attempts)


def plan_requests(
    unfinished: Sequence[Batch], registered: Sequence[str], under_way: Collection[str], cursor: Attempts
) -> InboxPlan:
    """Runs for every unfinished batch that no run is working on and that was not tried too often.

    A batch that was tried before gets a run of its own: it may be the one that spoils a range.
    """
    known = set(registered)
    new = [batch for batch in unfinished if batch.key not in known][:MAX_NEW_PARTITIONS]
    order = [*registered, *(batch.key for batch in new)]
    idle = set(order).difference(under_way)
    attempts = {batch.key: cursor.attempts.get(_tried_as(batch), 0) for batch in unfinished}
    fresh: dict[str, set[str]] = {}
    ranges: list[list[str]] = []
    too_often: list[str] = []
    for batch in unfinished:
        if batch.key not in idle:
            continue
        if attempts[batch.key] >= MAX_ATTEMPTS:
            too_often.append(batch.key)
        elif attempts[batch.key]:
            ranges.append([batch.key])
        else:
            fresh.setdefault(batch.skill, set()).add(batch.key)
    for of_skill in fresh.values():
        ranges.extend(partitions.contiguous_ranges(order, of_skill))
    attempts.update({key: attempts[key] + 1 for keys in ranges for key in keys})
    counts = {_tried_as(batch): attempts[batch.key] for batch in unfinished if attempts[batch.key]}
    return InboxPlan(new=new, ranges=ranges, given_up=too_often, cursor=Attempts(attempts=counts))


def _tried_as(batch: Batch) -> str:
    """What attempts are counted for: a batch with other outcomes beside it is another thing to do."""
    return f"{batch.key}#{batch.outcomes}"


@dg.sensor(
    job=analyse_batch,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New files in the inbox become batches, and every unfinished batch gets a run.",
)
def inbox_sensor(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.SensorResult:
    """New files in the inbox become batches, and every unfinished batch gets a run."""
    now = datetime.now(tz=UTC)
    settle_dead_runs(context.instance, pipeline.paths, now=now)
    plan_inbox(pipeline, quiet_before=(now - QUIET).timestamp())
    registered = context.instance.get_dynamic_partitions(partitions.TRACE_BATCHES)
    under_way = batches_under_way(context.instance, registered)
    unfinished = batches_to_run_unasked(pipeline)
    plan = plan_requests(unfinished, registered, under_way, remembered(context.cursor))
    new = [batch.key for batch in plan.new]
    return dg.SensorResult(
        run_requests=[dg.RunRequest(tags=partitions.range_tags(keys)) for keys in plan.ranges],
        skip_reason=None if plan.ranges else given_up("batches", plan.given_up) or "nothing new in the inbox",
        dynamic_partitions_requests=[partitions.trace_batches.build_add_request(new)] if new else [],
        asset_events=[inbox_event(batch) for batch in plan.new],
        cursor=plan.cursor.model_dump_json(),
    )


def given_up(what: str, names: Sequence[str]) -> str | None:
    """What no run is asked for any more and what a person can do about it; None when there is nothing."""
    if not names:
        return None
    shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return (
        f"{len(names)} {what} given up after {MAX_ATTEMPTS} runs: {shown}. The logs of their runs say why; "
        "`t2s run` tries again."
    )


def inbox_event(batch: Batch) -> dg.AssetMaterialization:
    """What Dagster is told about files that landed."""
    return dg.AssetMaterialization(trace_inbox.key, partition=batch.key, metadata=inbox_metadata(batch))


def batches_under_way(instance: dg.DagsterInstance, registered: Sequence[str]) -> set[str]:
    """Batches that a run is waiting for or working on."""
    runs = [record.dagster_run for record in unfinished_runs(instance)]
    return {key for run in runs for key in partitions.keys_of_run(run.tags, registered)}


def consolidations_to_request(
    behind: Sequence[SkillInputs], waiting: Collection[str], event: str
) -> list[dg.RunRequest]:
    """One consolidation for each skill that is behind, unless one is queued and has not started: that one
    will read the new lessons too. One that is running may have read before they landed, so it does not
    count. `behind` comes from the store and not from the event, because the sensor sees only the newest
    event of a burst, which may have touched other skills as well.
    """
    return [
        dg.RunRequest(run_key=f"{inputs.skill}@{event}", partition_key=inputs.skill)
        for inputs in behind
        if inputs.skill not in waiting
    ]


@dg.asset_sensor(
    asset_key=dg.AssetKey("lessons"),
    job=consolidate_skill,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def lessons_landed(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry, pipeline: dg.ResourceParam[Pipeline]
) -> dg.SensorResult | dg.SkipReason:
    """New lessons of a skill lead to its consolidation; a burst of batches to a few of them, not to many."""
    behind = skills_behind(pipeline)
    waiting = skills_waiting(context.instance)
    event = f"{asset_event.run_id}:{asset_event.timestamp}"
    requests = consolidations_to_request(behind, waiting, event)
    if not requests:
        return dg.SkipReason("every skill is up to date or has a consolidation waiting to start")
    return dg.SensorResult(run_requests=requests, **_announced(pipeline, [one.skill for one in behind]))


@dataclass(frozen=True)
class OverduePlan:
    """What a tick of the sensor for overdue skills asks for."""

    skills: list[str]
    """To be consolidated."""
    given_up: list[str]
    """Skills that stay behind and were tried too often."""
    cursor: Attempts


def overdue(
    behind: Sequence[SkillInputs], busy: Collection[str], gates: str, cursor: Attempts
) -> OverduePlan:
    """A consolidation for each skill that was behind in the same way a tick ago, that nobody works on, and
    that did not fail too often in this state.

    `gates` is what else decides whether publishing succeeds, beside the inputs of the skill. In the cursor a
    count of 0 says that a skill was seen behind and not yet asked for.
    """
    counts: dict[str, int] = {}
    asked: list[str] = []
    too_often: list[str] = []
    for inputs in behind:
        state = f"{inputs.skill}={inputs.digest}/{gates}"
        counts[state] = cursor.attempts.get(state, 0)
        if state not in cursor.attempts or inputs.skill in busy:
            continue
        if counts[state] >= MAX_ATTEMPTS:
            too_often.append(inputs.skill)
            continue
        counts[state] += 1
        asked.append(inputs.skill)
    return OverduePlan(skills=asked, given_up=too_often, cursor=Attempts(attempts=counts))


@dg.sensor(
    job=consolidate_skill,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Skills that stay behind although no lessons land: an edited base skill, new code, a "
    "consolidation that failed.",
)
def overdue_skills(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.SensorResult:
    """What `lessons_landed` cannot see, because no event tells of it."""
    busy = {batch.skill for batch in batches_to_run_unasked(pipeline)} | skills_in_work(context.instance)
    plan = overdue(skills_behind(pipeline), busy, _gates(pipeline), remembered(context.cursor))
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=skill) for skill in plan.skills],
        skip_reason=None if plan.skills else given_up("skills", plan.given_up) or "no skill stays behind",
        cursor=plan.cursor.model_dump_json(),
        **_announced(pipeline, plan.skills),
    )


def _gates(pipeline: Pipeline) -> str:
    """Changes with what is hidden and what is kept: a skill that would disclose something is not published,
    until a person says that it may.
    """
    return settings_version(pipeline.settings, ["redaction"])


class _Announced(TypedDict):
    dynamic_partitions_requests: list[dg.AddDynamicPartitionsRequest]
    asset_events: list[dg.AssetMaterialization]


def _announced(pipeline: Pipeline, skills: Sequence[str]) -> _Announced:
    """What Dagster has to know about skills before they are consolidated."""
    return {
        "dynamic_partitions_requests": [partitions.skills.build_add_request(skills)] if skills else [],
        "asset_events": base_events(pipeline, skills),
    }


def base_events(pipeline: Pipeline, skills: Sequence[str]) -> list[dg.AssetMaterialization]:
    """What Dagster is told about the base skills that these skills are written on top of."""
    digests = {skill: base_digest(pipeline, skill) for skill in skills}
    return [
        dg.AssetMaterialization(
            base_skill.key,
            partition=skill,
            metadata={"directory": dg.MetadataValue.path(str(pipeline.paths.base / skill))},
            tags={"dagster/data_version": digest},
        )
        for skill, digest in digests.items()
        if digest is not None
    ]


def skills_waiting(instance: dg.DagsterInstance) -> set[str]:
    """Skills with a consolidation that is queued and has not started."""
    return _skills_of(run for run in _consolidations(instance) if run.status in WAITING)


def skills_in_work(instance: dg.DagsterInstance) -> set[str]:
    """Skills with a consolidation that is queued or under way."""
    return _skills_of(_consolidations(instance))


def _consolidations(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    runs = [record.dagster_run for record in unfinished_runs(instance)]
    return [run for run in runs if run.job_name == consolidate_skill.name]


def _skills_of(runs: Iterable[dg.DagsterRun]) -> set[str]:
    return {run.tags[partitions.PARTITION_TAG] for run in runs if partitions.PARTITION_TAG in run.tags}
