"""`t2s formats` and `t2s inspect`: what can be read, and how one file would be, without storing anything."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.traces.formats import all_formats
from t2s_pipeline.traces.outcome_files import OutcomeFiles
from t2s_pipeline.traces.reading import read_file
from t2s_pipeline.traces.record import Quarantined, TraceRecord

_SKILL = "inspected"
"""A skill name is part of a trace's id; these traces are shown and forgotten."""


class TraceFormat(BaseModel):
    """A kind of trace file that is recognised by its content."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    """What a person calls it."""
    summary: str
    """First paragraph of its importer's documentation."""


class Formats(BaseModel):
    """The object that `t2s formats --json` prints."""

    model_config = ConfigDict(frozen=True)

    formats: list[TraceFormat]


class InspectedTrace(BaseModel):
    """One trace of a file, as it would be stored."""

    model_config = ConfigDict(frozen=True)

    where: str
    format: str
    task_id: str | None
    trial: str | None
    agent: str
    outcome: str
    reward: float | None
    steps: int
    calls: int
    input_tokens: int | None
    output_tokens: int | None
    warnings: tuple[str, ...]


class Unreadable(BaseModel):
    """A place in a file, or in the outcomes beside it, that would be quarantined."""

    model_config = ConfigDict(frozen=True)

    where: str
    reason: str


class Inspection(BaseModel):
    """The object that `t2s inspect --json` prints."""

    model_config = ConfigDict(frozen=True)

    file: str
    traces: int
    quarantined: int
    formats: dict[str, int]
    format_versions: list[str]
    outcomes: dict[str, int]
    """With the outcome files that speak about the file applied."""
    rewards: int
    """Traces with a number as reward."""
    agents: dict[str, int]
    tasks: int
    """Distinct task ids."""
    steps: int
    calls: int
    subagents: int
    """Embedded or referenced sub-agent trajectories."""
    input_tokens: int | None
    """Over the traces that record tokens; None when none does."""
    output_tokens: int | None
    cost_usd: float | None
    warnings: dict[str, int]
    """How many traces carry each warning, most first."""
    first_traces: list[InspectedTrace]
    first_quarantined: list[Unreadable]


def list_formats() -> Formats:
    """Every format that is recognised, by name."""
    return Formats(
        formats=[
            TraceFormat(name=one.name, title=one.title, summary=_summary(type(one).__module__))
            for one in all_formats()
        ]
    )


def inspect_file(path: Path, settings: Settings, *, shown: int = 10) -> Inspection:
    """How a file would be read; lists the first `shown` traces and unreadable places.

    Outcome files are applied as in an ingest: those of its folder, and in the inbox those of the folders
    around it.

    Raises:
        TraceError: there is no such file.
    """
    if not path.is_file():
        raise TraceError(f"{path} is not a file.")
    place, inbox = path.resolve(), DataPaths(settings.data).inbox
    outcomes = OutcomeFiles(inbox if place.is_relative_to(inbox) else place.parent, settings)
    traces, refused = _Tally(shown), list[Unreadable]()
    for item in read_file(path, skill=_SKILL, uri=path.name, settings=settings):
        if isinstance(item, Quarantined):
            refused.append(Unreadable(where=item.uri, reason=item.reason))
        else:
            traces.add(outcomes.applied(item, place))
    refused += [
        Unreadable(where=f"{file.name}#L{line}", reason=reason)
        for file, line, reason in outcomes.new_problems()
    ]
    return Inspection(
        file=str(path),
        traces=traces.formats.total(),
        quarantined=len(refused),
        formats=dict(traces.formats),
        format_versions=sorted(traces.versions),
        outcomes=dict(traces.outcomes),
        rewards=traces.counts["rewards"],
        agents=dict(traces.agents),
        tasks=len(traces.tasks),
        steps=traces.counts["steps"],
        calls=traces.counts["calls"],
        subagents=traces.counts["subagents"],
        input_tokens=sum(traces.input_tokens) if traces.input_tokens else None,
        output_tokens=sum(traces.output_tokens) if traces.output_tokens else None,
        cost_usd=sum(traces.costs) if traces.costs else None,
        warnings=dict(traces.warnings.most_common()),
        first_traces=traces.first,
        first_quarantined=refused[:shown],
    )


class _Tally:
    """Counts over the traces of a file, and the first of them."""

    def __init__(self, shown: int) -> None:
        self._shown = shown
        self.first: list[InspectedTrace] = []
        self.counts: Counter[str] = Counter()
        self.formats: Counter[str] = Counter()
        self.versions: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.agents: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.tasks: set[str] = set()
        self.input_tokens: list[int] = []
        self.output_tokens: list[int] = []
        self.costs: list[float] = []

    def add(self, record: TraceRecord) -> None:
        found = _inspected(record)
        if len(self.first) < self._shown:
            self.first.append(found)
        self.counts.update(
            steps=found.steps,
            calls=found.calls,
            rewards=found.reward is not None,
            subagents=_subagents(record),
        )
        self.formats[found.format] += 1
        self.outcomes[found.outcome] += 1
        self.agents[found.agent] += 1
        self.warnings.update(found.warnings)
        if found.task_id is not None:
            self.tasks.add(found.task_id)
        if record.source.format_version is not None:
            self.versions.add(record.source.format_version)
        if found.input_tokens is not None:
            self.input_tokens.append(found.input_tokens)
        if found.output_tokens is not None:
            self.output_tokens.append(found.output_tokens)
        if record.usage.cost_usd is not None:
            self.costs.append(record.usage.cost_usd)


def _inspected(record: TraceRecord) -> InspectedTrace:
    steps = record.trajectory.steps
    return InspectedTrace(
        where=record.source.uri,
        format=record.source.format,
        task_id=record.task_id,
        trial=record.trial,
        agent=record.agent,
        outcome=record.outcome.status,
        reward=record.outcome.reward,
        steps=len(steps),
        calls=sum(len(step.tool_calls or ()) for step in steps),
        input_tokens=record.usage.input_tokens,
        output_tokens=record.usage.output_tokens,
        warnings=record.source.warnings,
    )


def _subagents(record: TraceRecord) -> int:
    if embedded := record.trajectory.subagent_trajectories:
        return len(embedded)
    observed = [step.observation for step in record.trajectory.steps if step.observation]
    return sum(len(result.subagent_trajectory_ref or ()) for one in observed for result in one.results)


def _summary(module: str) -> str:
    documentation = sys.modules[module].__doc__ or ""
    return " ".join(documentation.split("\n\n")[0].split())
