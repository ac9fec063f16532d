"""`t2s run`: everything that is left to do, on the same instance and with the same jobs as the UI."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.commands.status import SkillStatus, skill_statuses
from t2s_pipeline.errors import T2SError
from t2s_pipeline.outstanding import plan_inbox, skills_behind, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import audit, queries
from t2s_pipeline.traces.inbox import Batch, all_batches


class PublishedSkill(BaseModel):
    """A skill directory agents can load."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    version: str
    rules: int


class RunSummary(BaseModel):
    """What a run did, and what there is now. The object that `t2s run --json` prints."""

    model_config = ConfigDict(frozen=True)

    traces: int
    """In the store now."""
    new_traces: int
    """Of these, read by this run for the first time."""
    quarantined: int
    """Files and records that could not be read: all that are known now."""
    new_quarantined: int
    lessons: int
    clusters: int
    skills: list[PublishedSkill]
    updated: list[str]
    """Skills that this run consolidated."""
    model_calls: int
    """Paid for by this run."""
    failures: list[str]
    """What did not finish and why; it is tried again by the next run."""

    @property
    def nothing_new(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.new_traces or self.new_quarantined or self.updated or self.failures)

    @property
    def nothing_readable(self) -> bool:
        """Whether there was input and none of it could be read."""
        return self.traces == 0 and self.quarantined > 0


class Display(Protocol):
    """Shows that work is going on."""

    def reading(self, pipeline: Pipeline, traces: int) -> AbstractContextManager[Pipeline]:
        """Shows progress over that many traces, reported through the pipeline it gives."""
        ...

    def consolidating(self, skill: str) -> AbstractContextManager[object]:
        """Shows that a skill is being consolidated."""
        ...


def run(pipeline: Pipeline, display: Display, *, skill: str | None = None) -> RunSummary:
    """Read what is new, learn from it, and bring every skill it concerns up to date.

    Raises:
        T2SError: `skill` names a skill there are no traces for, or the store cannot be used.
    """
    plan_inbox(pipeline)
    batches = [batch for batch in unfinished_batches(pipeline) if skill in (None, batch.skill)]
    if skill is not None and skill not in (known := _known_skills(pipeline)):
        raise T2SError(
            f"There are no traces for a skill named {skill!r}; put some into {pipeline.paths.inbox / skill}. "
            f"Skills with traces: {', '.join(sorted(known)) or 'none'}."
        )
    unread = _unread(pipeline, batches)
    calls_before = audit.model_calls(pipeline.store)
    failures: list[str] = []
    updated: list[str] = []
    if batches or _behind(pipeline, skill):
        failures, updated = _execute(pipeline, display, batches, skill)
    statuses = [status for status in skill_statuses(pipeline) if skill in (None, status.name)]
    read, refused = _read_and_refused(pipeline, unread)
    return RunSummary(
        traces=sum(status.traces for status in statuses),
        new_traces=read,
        quarantined=sum(status.quarantined for status in statuses),
        new_quarantined=refused,
        lessons=sum(status.lessons for status in statuses),
        clusters=sum(status.clusters for status in statuses),
        skills=[published for status in statuses if (published := _published(status))],
        updated=updated,
        model_calls=audit.model_calls(pipeline.store) - calls_before,
        failures=failures,
    )


def _execute(
    pipeline: Pipeline, display: Display, batches: Sequence[Batch], skill: str | None
) -> tuple[list[str], list[str]]:
    """What failed, in words, and the skills that were consolidated."""
    # Dagster takes a second to import: only when there is something to run.
    from t2s_pipeline.assets.execution import executor

    failures: list[str] = []
    updated: list[str] = []
    with executor(pipeline.paths, now=datetime.now(tz=UTC)) as execute:
        if batches:
            with display.reading(pipeline, sum(batch.traces for batch in batches)) as watched:
                failures += execute.analyse(watched, batches)
        for name in _behind(pipeline, skill):
            with display.consolidating(name):
                failed = execute.consolidate(pipeline, name)
            if failed is None:
                updated.append(name)
            else:
                failures.append(failed)
    return failures, updated


def _behind(pipeline: Pipeline, skill: str | None) -> list[str]:
    return [inputs.skill for inputs in skills_behind(pipeline) if skill in (None, inputs.skill)]


def _known_skills(pipeline: Pipeline) -> set[str]:
    return {batch.skill for batch in all_batches(pipeline.paths)}


def _unread(pipeline: Pipeline, batches: Sequence[Batch]) -> set[str]:
    """Keys of the batches that nothing has been read of."""
    rows = queries.batch_stages(pipeline.store).to_dicts()
    return {batch.key for batch in batches} - {row["batch"] for row in rows if row["stage"] == "traces"}


def _read_and_refused(pipeline: Pipeline, keys: Collection[str]) -> tuple[int, int]:
    """Traces and quarantined records of some batches."""
    rows = queries.batch_stages(pipeline.store).to_dicts()
    read = [row for row in rows if row["stage"] == "traces" and row["batch"] in keys]
    return sum(row["traces"] for row in read), sum(row["quarantined"] for row in read)


def _published(status: SkillStatus) -> PublishedSkill | None:
    if status.path is None or status.version is None:
        return None
    return PublishedSkill(name=status.name, path=status.path, version=status.version, rules=status.rules)
