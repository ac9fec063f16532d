"""What starts runs without a click. Each sensor gathers what is known and asks a plain function beside it.

All are level-triggered: they look at what the store and the disk say is left to do. So a missed event, a
skipped tick or a killed run delays work and never loses it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypedDict

import dagster as dg
from pydantic import BaseModel, TypeAdapter

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
from t2s_pipeline.traces.inbox import Batch

MAX_NEW_PARTITIONS = 256
"""New partitions per tick: a tick has to end well within Dagster's time limit of 60 s."""

MAX_ATTEMPTS = 3
"""Runs the sensor asks for per batch. A batch that fails each time waits for a person."""


QUIET = timedelta(seconds=3)
"""A file modified this short a time ago may still be written to."""


class InboxCursor(BaseModel):
    """What the inbox sensor remembers from tick to tick."""

    requests: int = 0
    """Ticks that asked for runs; part of the run keys, which Dagster never accepts twice."""
    attempts: dict[str, int] = {}
    """Runs asked for, by batch that is not finished yet."""


@dataclass(frozen=True)
class InboxPlan:
    """What a tick of the inbox sensor asks for."""

    new: list[Batch]
    """Batches that become partitions."""
    ranges: list[list[str]]
    """Keys of the runs to start: each a contiguous range of batches of one skill."""
    cursor: InboxCursor = field(default_factory=InboxCursor)


def plan_requests(
    unfinished: Sequence[Batch], registered: Sequence[str], under_way: Collection[str], cursor: InboxCursor
) -> InboxPlan:
    """Runs for every unfinished batch that no run is working on and that was not tried too often.

    A batch that was tried before gets a run of its own: it may be the one that spoils a range.
    """
    known = set(registered)
    new = [batch for batch in unfinished if batch.key not in known][:MAX_NEW_PARTITIONS]
    order = [*registered, *(batch.key for batch in new)]
    attempts = {batch.key: cursor.attempts.get(batch.key, 0) for batch in unfinished}
    fresh: dict[str, set[str]] = {}
    ranges: list[list[str]] = []
    for batch in unfinished:
        if batch.key in under_way or batch.key not in order or attempts[batch.key] >= MAX_ATTEMPTS:
            continue
        if attempts[batch.key]:
            ranges.append([batch.key])
        else:
            fresh.setdefault(batch.skill, set()).add(batch.key)
    for of_skill in fresh.values():
        ranges.extend(partitions.contiguous_ranges(order, of_skill))
    tried = {key: attempts[key] + 1 for keys in ranges for key in keys}
    remembered = {key: count for key, count in {**attempts, **tried}.items() if count}
    return InboxPlan(
        new=new,
        ranges=ranges,
        cursor=InboxCursor(requests=cursor.requests + bool(ranges), attempts=remembered),
    )


@dg.sensor(
    job=analyse_batch,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New files in the inbox become batches, and every unfinished batch gets a run.",
)
def inbox_sensor(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.SensorResult | dg.SkipReason:
    """New files in the inbox become batches, and every unfinished batch gets a run."""
    now = datetime.now(tz=UTC)
    settle_dead_runs(context.instance, pipeline.paths, now=now)
    plan_inbox(pipeline, quiet_before=(now - QUIET).timestamp())
    registered = context.instance.get_dynamic_partitions(partitions.TRACE_BATCHES)
    cursor = InboxCursor.model_validate_json(context.cursor) if context.cursor else InboxCursor()
    under_way = batches_under_way(context.instance, registered)
    plan = plan_requests(batches_to_run_unasked(pipeline), registered, under_way, cursor)
    if not plan.ranges:
        return dg.SkipReason("nothing new in the inbox")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"{keys[0]}..{keys[-1]}#{plan.cursor.requests}",
                tags=partitions.range_tags(keys),
            )
            for keys in plan.ranges
        ],
        dynamic_partitions_requests=[
            partitions.trace_batches.build_add_request([batch.key for batch in plan.new])
        ],
        asset_events=[inbox_event(batch) for batch in plan.new],
        cursor=plan.cursor.model_dump_json(),
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


def overdue(
    behind: Sequence[SkillInputs], seen_before: Mapping[str, str], busy: Collection[str]
) -> list[dg.RunRequest]:
    """One consolidation for each skill that was behind in the same way a tick ago and that nobody works on.
    The run key is what the skill is behind: a consolidation that fails is not asked for again and again.
    """
    return [
        dg.RunRequest(run_key=f"{inputs.skill}={inputs.digest}", partition_key=inputs.skill)
        for inputs in behind
        if seen_before.get(inputs.skill) == inputs.digest and inputs.skill not in busy
    ]


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
    behind = skills_behind(pipeline)
    seen_before = _SEEN.validate_json(context.cursor) if context.cursor else {}
    busy = {batch.skill for batch in batches_to_run_unasked(pipeline)} | skills_in_work(context.instance)
    requests = overdue(behind, seen_before, busy)
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "no skill stays behind",
        cursor=_SEEN.dump_json({inputs.skill: inputs.digest for inputs in behind}).decode(),
        **_announced(pipeline, [str(request.partition_key) for request in requests]),
    )


_SEEN = TypeAdapter(dict[str, str])
"""Skills that were behind, with what they were behind."""


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
