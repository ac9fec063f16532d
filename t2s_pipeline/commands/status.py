"""`t2s status`: what there is of each skill, and what is left to do."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.commands.holding import Held, held_traces
from t2s_pipeline.outstanding import skills_behind, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import queries
from t2s_pipeline.traces.inbox import Batch


class SkillStatus(BaseModel):
    """One skill: what it was learnt from and what is published of it."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: str | None
    """The published directory; None while there is none."""
    version: str | None
    rules: int
    traces: int
    tasks: int
    success: int
    failure: int
    partial: int
    error: int
    unknown: int
    quarantined: int
    lessons: int
    clusters: int
    waiting: int
    """Batches planned and not finished."""
    up_to_date: bool
    """Whether the published directory reflects every trace and today's code."""


class Setback(BaseModel):
    """A file or record that could not be read."""

    model_config = ConfigDict(frozen=True)

    skill: str
    where: str
    reason: str


class Status(BaseModel):
    """The object that `t2s status --json` prints."""

    model_config = ConfigDict(frozen=True)

    data: str
    """The data root."""
    skills: list[SkillStatus]
    quarantine: list[Setback]
    held: list[Held]
    """Traces that wait for a person, who releases or forgets them."""


def status(pipeline: Pipeline) -> Status:
    """What there is, and what is left to do."""
    rows = queries.quarantine_rows(pipeline.store).to_dicts()
    return Status(
        data=str(pipeline.paths.root),
        skills=skill_statuses(pipeline),
        quarantine=[Setback(skill=row["skill"], where=row["uri"], reason=row["reason"]) for row in rows],
        held=held_traces(pipeline),
    )


def skill_statuses(pipeline: Pipeline) -> list[SkillStatus]:
    """One entry for each skill that has batches or traces, by name."""
    waiting = unfinished_batches(pipeline)
    behind = {inputs.skill for inputs in skills_behind(pipeline)}
    counted = {row["skill"]: row for row in queries.status_counts(pipeline.store).to_dicts()}
    names = sorted(counted.keys() | {batch.skill for batch in waiting})
    return [_status_of(pipeline, name, counted.get(name, {}), waiting, behind) for name in names]


def _status_of(
    pipeline: Pipeline, name: str, counts: dict[str, Any], waiting: list[Batch], behind: set[str]
) -> SkillStatus:
    directory = pipeline.paths.skills / name
    left = sum(batch.skill == name for batch in waiting)
    return SkillStatus(
        name=name,
        path=str(directory) if (directory / "SKILL.md").is_file() else None,
        version=counts.get("version"),
        waiting=left,
        up_to_date=not left and name not in behind,
        **{field: counts.get(field, 0) for field in _COUNTS},
    )


_COUNTS = (
    "rules",
    "traces",
    "tasks",
    "success",
    "failure",
    "partial",
    "error",
    "unknown",
    "quarantined",
    "lessons",
    "clusters",
)
