"""`t2s run`: everything that is left to do, on the same instance and with the same jobs as the UI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.commands.holding import held_traces
from t2s_pipeline.commands.status import LeftToDo, SkillStatus, left_to_do, skill_statuses
from t2s_pipeline.errors import T2SError
from t2s_pipeline.outstanding import plan_inbox, skills_behind, what_is_left
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import queries, taught
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
    held: int
    """Traces that carry instructions for their reader and wait for a person; all there are now."""
    lessons: int
    clusters: int
    skills: list[PublishedSkill]
    updated: list[str]
    """Skills that this run consolidated."""
    again: list[LeftToDo]
    """Batches known before that this run took up, and why."""
    not_analysed: int
    """Traces of this run that an analyst could not read; the next run asks again where a model was asked."""
    reasons: dict[str, int]
    """Why, with the number of traces, most first."""
    refused: int
    """Lessons of this run that did not pass the checks."""
    unworded: int
    """Merges and judgements that a model gave no usable answer to, of the skills this run consolidated:
    deterministic words stand in their place."""
    model_calls: int
    """Paid for by this run."""
    model_tokens: int
    """Of these calls, as far as the endpoint counted them."""
    cost_usd: float | None
    """Of these calls; None where no call was made or no price is known."""
    failures: list[str]
    """What did not finish and why; it is tried again by the next run."""

    @property
    def nothing_new(self) -> bool:
        """Whether there was nothing to do."""
        done = self.new_traces or self.new_quarantined or self.updated or self.again
        return not (done or self.failures or self.not_analysed)

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
        T2SError: `skill` names a skill there are no traces for, the store cannot be used, or a model has to
            be asked and no endpoint is set.
    """
    plan_inbox(pipeline)
    left = [one for one in what_is_left(pipeline) if skill in (None, one.batch.skill)]
    batches = [one.batch for one in left]
    if skill is not None and skill not in (known := _known_skills(pipeline)):
        raise T2SError(
            f"There are no traces for a skill named {skill!r}; put some into {pipeline.paths.inbox / skill}. "
            f"Skills with traces: {', '.join(sorted(known)) or 'none'}."
        )
    unread = _unread(pipeline, batches)
    done = _Done()
    if batches or _behind(pipeline, skill):
        _require_endpoint(pipeline)
        before = taught.spent(pipeline.store)
        done.failures, done.updated = _execute(pipeline, display, batches, skill)
        done.spent = taught.spent(pipeline.store).since(before)
        done.setbacks = _setbacks(pipeline, {batch.key for batch in batches}, done.updated)
    statuses = [status for status in skill_statuses(pipeline) if skill in (None, status.name)]
    counts = _counts(pipeline, unread, {batch.key for batch in batches})
    traces = {row["trace_id"]: row["reason"] for row in done.setbacks if row["trace_id"]}
    return RunSummary(
        traces=sum(status.traces for status in statuses),
        new_traces=counts.read,
        quarantined=sum(status.quarantined for status in statuses),
        new_quarantined=counts.quarantined,
        held=sum(skill in (None, one.skill) for one in held_traces(pipeline)),
        lessons=sum(status.lessons for status in statuses),
        clusters=sum(status.clusters for status in statuses),
        skills=[published for status in statuses if (published := _published(status))],
        updated=done.updated,
        again=left_to_do(one for one in left if one.batch.key not in unread),
        not_analysed=len(traces),
        reasons=dict(Counter(traces.values()).most_common()),
        refused=counts.refused,
        unworded=sum(not row["trace_id"] for row in done.setbacks),
        model_calls=done.spent.calls,
        model_tokens=done.spent.tokens,
        cost_usd=done.spent.usd if done.spent.priced else None,
        failures=done.failures,
    )


@dataclass
class _Done:
    """What working on what is left has come to."""

    failures: list[str] = field(default_factory=list)
    """In words."""
    updated: list[str] = field(default_factory=list)
    """Skills that were consolidated."""
    spent: taught.Spent = field(default_factory=taught.Spent)
    setbacks: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `analysis_failures`."""


class _Counts(NamedTuple):
    read: int
    """Traces that were read for the first time."""
    quarantined: int
    refused: int
    """Lessons."""


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
    """Skills to consolidate: those behind what is there, and those a model is to be asked about again."""
    names = {inputs.skill for inputs in skills_behind(pipeline)}
    if pipeline.settings.engine == "llm":
        names |= {row["skill"] for row in taught.failures(pipeline.store).to_dicts() if not row["trace_id"]}
    return sorted(name for name in names if skill in (None, name))


def _known_skills(pipeline: Pipeline) -> set[str]:
    return {batch.skill for batch in all_batches(pipeline.paths)}


def _unread(pipeline: Pipeline, batches: Sequence[Batch]) -> set[str]:
    """Keys of the batches that nothing has been read of."""
    rows = queries.batch_stages(pipeline.store).to_dicts()
    return {batch.key for batch in batches} - {row["batch"] for row in rows if row["stage"] == "traces"}


def _require_endpoint(pipeline: Pipeline) -> None:
    """Say before any work that a model cannot be asked, and not once for each batch."""
    if pipeline.settings.engine == "llm":
        # The client of the endpoint takes half a second to import: only where there is one to talk to.
        from t2s_pipeline.analysts.by_model import endpoint_settings

        endpoint_settings()


def _setbacks(pipeline: Pipeline, keys: Collection[str], updated: Collection[str]) -> list[dict[str, Any]]:
    """Rows of `analysis_failures` about some batches, and about the words of the skills that were updated."""
    concerned = {*keys, *(f"skill:{skill}" for skill in updated)}
    return [row for row in taught.failures(pipeline.store).to_dicts() if row["batch"] in concerned]


def _counts(pipeline: Pipeline, unread: Collection[str], keys: Collection[str]) -> _Counts:
    """What there is now of batches nothing had been read of, and of all the batches of this run."""
    rows = queries.batch_stages(pipeline.store).to_dicts()
    read = [row for row in rows if row["stage"] == "traces" and row["batch"] in unread]
    analysed = [row for row in rows if row["stage"] == "lessons" and row["batch"] in keys]
    return _Counts(
        read=sum(row["traces"] for row in read),
        quarantined=sum(row["quarantined"] for row in read),
        refused=sum(row["refused"] for row in analysed),
    )


def _published(status: SkillStatus) -> PublishedSkill | None:
    if status.path is None or status.version is None:
        return None
    return PublishedSkill(name=status.name, path=status.path, version=status.version, rules=status.rules)
