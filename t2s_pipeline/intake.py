"""What the asset checks measure of batches as they came in: is this the input somebody meant to give?

Nothing of it stops the pipeline. A changed schema, a cut-off file or missing outcomes show in what is learnt
weeks later, so they are told on the day they arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from t2s_pipeline.store import intake, queries, safety
from t2s_pipeline.store.store import Store


@dataclass(frozen=True)
class HeldTrace:
    """A trace that waits for a person, and why."""

    trace_id: str
    skill: str
    where: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Intake:
    """One batch as it came in."""

    traces: int
    """In the store under this batch."""
    unknown_outcomes: int = 0
    duplicates: int = 0
    """Records whose bytes were there before."""
    drift: Mapping[str, int] = field(default_factory=dict)
    """Warnings about keys the importers do not know, and in how many traces."""
    drifting: int = 0
    """Traces with such a warning."""
    truncated: tuple[str, ...] = ()
    """Where traces and records are that end in the middle."""
    empty: tuple[str, ...] = ()
    """Where traces and records are in which the agent does nothing."""
    held: tuple[HeldTrace, ...] = ()

    @property
    def known_outcomes(self) -> float:
        """Share of traces that say how they ended, from 0 to 1; 1 for a batch with none."""
        return 1 - self.unknown_outcomes / self.traces if self.traces else 1.0


def intake_of_batches(store: Store, batches: Sequence[str]) -> dict[str, Intake]:
    """Each batch as it came in; batches that were never read are left out."""
    stages = queries.batch_stages(store).to_dicts()
    wanted = set(batches)
    read = {row["batch"]: row for row in stages if row["stage"] == "traces" and row["batch"] in wanted}
    traces = intake.traces_of_intake(store, list(read))
    refused = intake.refused_as_incomplete(store, list(read))
    by_batch = {str(key[0]): part.to_dicts() for key, part in traces.group_by("batch", maintain_order=True)}
    cut = {str(key[0]): part.to_dicts() for key, part in refused.group_by("batch", maintain_order=True)}
    held = held_by_batch(store, list(read))
    found = {}
    for batch, stage in read.items():
        rows, lines = by_batch.get(batch, []), cut.get(batch, [])
        found[batch] = Intake(
            traces=len(rows),
            unknown_outcomes=sum(row["unknown"] for row in rows),
            duplicates=stage["duplicates"],
            drift=dict(Counter(warning for row in rows for warning in row["drift"]).most_common()),
            drifting=sum(bool(row["drift"]) for row in rows),
            truncated=tuple(row["uri"] for row in (*rows, *lines) if row["truncated"]),
            empty=tuple(row["uri"] for row in (*rows, *lines) if row["empty"]),
            held=held.get(batch, ()),
        )
    return found


def held_by_batch(store: Store, batches: Sequence[str] | None = None) -> dict[str, tuple[HeldTrace, ...]]:
    """The traces that wait for a person, of some batches or of all, by batch."""
    found: dict[str, tuple[HeldTrace, ...]] = {}
    for row in safety.held_traces(store, batches).iter_rows(named=True):
        trace = HeldTrace(row["trace_id"], row["skill"], row["uri"], tuple(row["reasons"]))
        found[row["batch"]] = (*found.get(row["batch"], ()), trace)
    return found
