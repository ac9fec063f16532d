"""`t2s formats` and `t2s inspect`: what can be read, and how one file would be, without storing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.formats import all_formats
from t2s_pipeline.traces.reading import read_file
from t2s_pipeline.traces.record import Quarantined, TraceRecord

_SKILL = "inspected"
"""A skill name is part of a trace's id; these traces are shown and forgotten."""


class TraceFormat(BaseModel):
    """A kind of trace file that is recognised by its content."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str


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
    warnings: tuple[str, ...]


class Unreadable(BaseModel):
    """A place in a file that would be quarantined."""

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
    outcomes: dict[str, int]
    tasks: int
    first_traces: list[InspectedTrace]
    first_quarantined: list[Unreadable]


def list_formats() -> Formats:
    """Every format that is recognised, by name."""
    return Formats(formats=[TraceFormat(name=one.name, title=one.title) for one in all_formats()])


def inspect_file(path: Path, settings: Settings, *, shown: int = 10) -> Inspection:
    """How a file would be read; lists the first `shown` traces and unreadable places.

    Raises:
        TraceError: there is no such file.
    """
    if not path.is_file():
        raise TraceError(f"{path} is not a file.")
    formats: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    tasks: set[str] = set()
    traces: list[InspectedTrace] = []
    refused: list[Unreadable] = []
    quarantined = 0
    for item in _items(path, settings):
        if isinstance(item, Quarantined):
            quarantined += 1
            if len(refused) < shown:
                refused.append(Unreadable(where=item.uri, reason=item.reason))
            continue
        formats[item.source.format] += 1
        outcomes[item.outcome.status] += 1
        if item.task_id is not None:
            tasks.add(item.task_id)
        if len(traces) < shown:
            traces.append(_inspected(item))
    return Inspection(
        file=str(path),
        traces=formats.total(),
        quarantined=quarantined,
        formats=dict(formats),
        outcomes=dict(outcomes),
        tasks=len(tasks),
        first_traces=traces,
        first_quarantined=refused,
    )


def _items(path: Path, settings: Settings) -> Iterator[TraceRecord | Quarantined]:
    return read_file(path, skill=_SKILL, uri=path.name, settings=settings)


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
        warnings=record.source.warnings,
    )
