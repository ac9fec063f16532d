"""`t2s release-trace`: a person has looked at a held trace and says that it may teach."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.commands.naming import trace_named
from t2s_pipeline.errors import TraceError
from t2s_pipeline.intake import held_by_batch
from t2s_pipeline.outstanding import ask_again
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.traces.released import Release, add_releases


class Held(BaseModel):
    """A trace that nothing is learnt from until a person releases it, and why."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    skill: str
    where: str
    reasons: tuple[str, ...]


class Released(BaseModel):
    """The object that `t2s release-trace --json` prints."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: str
    """ISO 8601, UTC."""
    traces: tuple[Held, ...]
    """What was held, with the reasons that no longer count."""
    not_held: tuple[str, ...]
    """Ids of traces that were not held, or had been released before."""
    batches: tuple[str, ...]
    """Analysed again by the next run."""


def held_traces(pipeline: Pipeline) -> list[Held]:
    """Every trace that waits for a person, by skill and place."""
    found = (trace for traces in held_by_batch(pipeline.store).values() for trace in traces)
    return [
        Held(trace_id=trace.trace_id, skill=trace.skill, where=trace.where, reasons=trace.reasons)
        for trace in sorted(found, key=lambda trace: (trace.skill, trace.where, trace.trace_id))
    ]


def release(pipeline: Pipeline, names: Sequence[str], *, by: str, now: datetime) -> Released:
    """Let the named traces teach; their batches are analysed again by the next run.

    Raises:
        TraceError: a name stands for no trace, or for several, or the list of releases cannot be read; then
            none is released.
    """
    if not by.strip():
        raise TraceError("Say who releases the traces: --by NAME.")
    traces = {row["trace_id"]: row for row in (trace_named(pipeline, name) for name in names)}
    waiting = {trace.trace_id: trace for trace in held_traces(pipeline) if trace.trace_id in traces}
    batches = sorted({traces[trace_id]["batch"] for trace_id in waiting})
    at = now.astimezone(UTC).isoformat(timespec="seconds")
    # Asked again first: a batch that is analysed once too often loses nothing.
    ask_again(pipeline, batches, ["lessons"])
    releases = [Release(trace_id=name, released_by=by.strip(), released_at=at) for name in waiting]
    add_releases(pipeline.store, pipeline.paths, releases)
    return Released(
        by=by.strip(),
        at=at,
        traces=tuple(waiting.values()),
        not_held=tuple(trace_id for trace_id in traces if trace_id not in waiting),
        batches=tuple(batches),
    )
