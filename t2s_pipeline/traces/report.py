"""What a file would become, without storing anything; and which formats there are."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.formats import all_formats
from t2s_pipeline.traces.outcome_files import OutcomeFiles
from t2s_pipeline.traces.reading import open_source, read_file
from t2s_pipeline.traces.record import Quarantined, TraceRecord

REASONS = 20
"""Quarantine reasons a report carries."""


class FormatEntry(BaseModel):
    """One supported format."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    """What a person calls it."""
    summary: str
    """First paragraph of its importer's documentation."""


class FileReport(BaseModel):
    """What one file would become."""

    model_config = ConfigDict(frozen=True)

    path: str
    format: str | None
    """None when the file is not recognised."""
    format_versions: list[str] = []
    traces: int
    quarantined: int
    reasons: list[tuple[str, str]] = []
    """(uri, reason) of the first quarantined records."""
    outcomes: dict[str, int] = {}
    rewards: int = 0
    """Traces with a number as reward."""
    agents: dict[str, int] = {}
    tasks: int = 0
    """Distinct task ids."""
    steps: int = 0
    calls: int = 0
    subagents: int = 0
    """Embedded or referenced sub-agent trajectories."""
    input_tokens: int | None = None
    """Over the traces that record tokens; None when none does."""
    output_tokens: int | None = None
    cost_usd: float | None = None
    warnings: dict[str, int] = {}
    """How many traces carry each warning."""


def list_formats() -> list[FormatEntry]:
    """Every supported format, by name."""
    return [
        FormatEntry(name=one.name, title=one.title, summary=_summary(type(one).__module__))
        for one in all_formats()
    ]


def inspect_file(path: Path, settings: Settings) -> FileReport:
    """What a file would become. Outcome files in its own folder are applied, nothing is written.

    Raises FileNotFoundError when there is no such file."""
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    outcomes = OutcomeFiles(path.parent, settings)
    tally = _Tally()
    for item in read_file(path, skill="inspect", uri=path.name, settings=settings):
        tally.add(item if isinstance(item, Quarantined) else outcomes.applied(item, path))
    try:
        name = open_source(path, settings)[0].name
    except (TraceError, OSError):
        name = None
    return tally.report(path, name)


class _Tally:
    """Counts over the items of a file."""

    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.agents: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.tasks: set[str] = set()
        self.input_tokens: list[int] = []
        self.output_tokens: list[int] = []
        self.costs: list[float] = []

    def add(self, item: TraceRecord | Quarantined) -> None:
        if isinstance(item, Quarantined):
            self.counts["quarantined"] += 1
            if len(self.reasons) < REASONS:
                self.reasons.append((item.uri, item.reason))
            return
        steps = item.trajectory.steps
        results = [result for step in steps if step.observation for result in step.observation.results]
        self.counts.update(
            traces=1,
            steps=len(steps),
            calls=sum(len(step.tool_calls or ()) for step in steps),
            rewards=item.outcome.reward is not None,
            subagents=len(item.trajectory.subagent_trajectories or ())
            or sum(len(result.subagent_trajectory_ref or ()) for result in results),
        )
        self.outcomes[item.outcome.status] += 1
        self.agents[item.agent] += 1
        self.warnings.update(item.source.warnings)
        for into, value in (
            (self.input_tokens, item.usage.input_tokens),
            (self.output_tokens, item.usage.output_tokens),
        ):
            if value is not None:
                into.append(value)
        if item.usage.cost_usd is not None:
            self.costs.append(item.usage.cost_usd)
        if item.task_id is not None:
            self.tasks.add(item.task_id)
        if item.source.format_version is not None:
            self.versions[item.source.format_version] += 1

    def report(self, path: Path, name: str | None) -> FileReport:
        return FileReport(
            path=str(path),
            format=name,
            format_versions=sorted(self.versions),
            reasons=self.reasons,
            outcomes=dict(self.outcomes),
            agents=dict(self.agents),
            tasks=len(self.tasks),
            input_tokens=sum(self.input_tokens) if self.input_tokens else None,
            output_tokens=sum(self.output_tokens) if self.output_tokens else None,
            cost_usd=sum(self.costs) if self.costs else None,
            warnings=dict(self.warnings),
            traces=self.counts["traces"],
            quarantined=self.counts["quarantined"],
            rewards=self.counts["rewards"],
            steps=self.counts["steps"],
            calls=self.counts["calls"],
            subagents=self.counts["subagents"],
        )


def _summary(module: str) -> str:
    documentation = sys.modules[module].__doc__ or ""
    return " ".join(documentation.split("\n\n")[0].split())
