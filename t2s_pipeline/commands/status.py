"""`t2s status`: what there is of each skill, and what is left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.version import KEPT, read_by_model
from t2s_pipeline.commands.holding import Held, held_traces
from t2s_pipeline.outstanding import Unfinished, plan_inbox, skills_behind, unfinished_batches, what_is_left
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import queries, taught
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
    refused: int
    """Lessons that did not pass the checks."""
    not_analysed: int
    """Traces that an analyst could not read."""
    waiting: int
    """Batches planned and not finished."""
    waiting_for_model: int
    """Batches that no model has read although one has read others of the skill; `t2s run --engine llm` has
    it read them."""
    up_to_date: bool
    """Whether the published directory reflects every trace and today's code."""


class Setback(BaseModel):
    """A file or record that could not be read."""

    model_config = ConfigDict(frozen=True)

    skill: str
    where: str
    reason: str


class LeftToDo(BaseModel):
    """Batches that the next run takes up, and why."""

    model_config = ConfigDict(frozen=True)

    skill: str
    batches: int
    reason: str


class NotAnalysed(BaseModel):
    """A trace that an analyst could not read, or words of rules that a model did not give."""

    model_config = ConfigDict(frozen=True)

    skill: str
    where: str
    """The trace; empty for words of rules."""
    analyst: str
    reason: str


class NotBelieved(BaseModel):
    """A lesson that did not pass the checks."""

    model_config = ConfigDict(frozen=True)

    skill: str
    where: str
    analyst: str
    reason: str
    text: str


class Status(BaseModel):
    """The object that `t2s status --json` prints."""

    model_config = ConfigDict(frozen=True)

    data: str
    """The data root."""
    skills: list[SkillStatus]
    left: list[LeftToDo]
    quarantine: list[Setback]
    not_analysed: list[NotAnalysed]
    refused: list[NotBelieved]
    held: list[Held]
    """Traces that wait for a person, who releases or forgets them."""


def status(pipeline: Pipeline) -> Status:
    """What there is, and what is left to do: new files in the inbox are planned, so that they count."""
    if pipeline.paths.inbox.is_dir():
        plan_inbox(pipeline)
    rows = queries.quarantine_rows(pipeline.store).to_dicts()
    return Status(
        data=str(pipeline.paths.root),
        skills=skill_statuses(pipeline),
        left=left_to_do(what_is_left(pipeline)),
        quarantine=[Setback(skill=row["skill"], where=row["uri"], reason=row["reason"]) for row in rows],
        not_analysed=not_analysed(pipeline),
        refused=[_not_believed(row) for row in taught.refused_lessons(pipeline.store).to_dicts()],
        held=held_traces(pipeline),
    )


def left_to_do(left: Iterable[Unfinished]) -> list[LeftToDo]:
    """How many batches of which skill are left for which reason, most first."""
    counts = Counter((one.batch.skill, one.reason) for one in left)
    return [
        LeftToDo(skill=skill, batches=count, reason=reason)
        for (skill, reason), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def not_analysed(pipeline: Pipeline) -> list[NotAnalysed]:
    """Every trace that an analyst could not read the last time, and the words no model gave."""
    return [
        NotAnalysed(
            skill=row["skill"],
            where=row["uri"] or row["trace_id"],
            analyst=row["analyst"],
            reason=row["reason"],
        )
        for row in taught.failures(pipeline.store).to_dicts()
    ]


def skill_statuses(pipeline: Pipeline) -> list[SkillStatus]:
    """One entry for each skill that has batches or traces, by name."""
    waiting = unfinished_batches(pipeline)
    behind = {inputs.skill for inputs in skills_behind(pipeline)}
    counted = {row["skill"]: row for row in queries.status_counts(pipeline.store).to_dicts()}
    names = sorted(counted.keys() | {batch.skill for batch in waiting})
    beside = _beside(pipeline)
    found = []
    for name in names:
        counts = {**counted.get(name, {}), **beside.get(name, {})}
        found.append(_status_of(pipeline, name, counts, waiting, behind))
    return found


def _beside(pipeline: Pipeline) -> dict[str, dict[str, int]]:
    """What the lessons of each skill do not show: by skill."""
    found: dict[str, dict[str, int]] = {}
    stages = queries.batch_stages(pipeline.store)
    lessons = stages.filter((stages["stage"] == "lessons") & ~stages["batch"].str.starts_with("skill:"))
    for (skill,), rows in lessons.group_by("skill"):
        read = [read_by_model(version) for version in rows["code_version"]]
        taught_any = any(read) or any(KEPT in version for version in rows["code_version"])
        unread = read.count(False) if taught_any else 0
        found[str(skill)] = {"refused": int(rows["refused"].sum()), "waiting_for_model": unread}
    for (skill,), rows in taught.failures(pipeline.store).group_by("skill"):
        traces = rows["trace_id"].unique().to_list()
        found.setdefault(str(skill), {})["not_analysed"] = sum(bool(trace) for trace in traces)
    return found


def _not_believed(row: Mapping[str, Any]) -> NotBelieved:
    said = {name: row[name] for name in ("skill", "analyst", "reason", "text")}
    return NotBelieved(where=row["uri"] or row["trace_id"], **said)


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
    "refused",
    "not_analysed",
    "waiting_for_model",
)
