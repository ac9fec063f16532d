"""Held traces that a person let teach: `data/released.jsonl`, from which the store gets them back."""

from __future__ import annotations

from collections.abc import Sequence

from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store.frames import frame
from t2s_pipeline.store.safety import held_traces
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.decisions import Decision, add_decisions, decisions

_WHAT_IT_SAYS = "which held traces may teach"


class Release(Decision):
    """One trace that nothing holds any more."""

    released_by: str
    released_at: str
    """ISO 8601, UTC."""


def add_releases(store: Store, paths: DataPaths, items: Sequence[Release]) -> None:
    """Note releases on the list, then in the store. Raises TraceError when the list cannot be read."""
    add_decisions(paths.released, Release, _WHAT_IT_SAYS, items)
    _note(store, items)


def restore_releases(store: Store, paths: DataPaths) -> None:
    """Note in the store what the list says of traces that are held there: a store that was built anew does
    not know it. Raises TraceError when the list cannot be read.
    """
    listed = decisions(paths.released, Release, _WHAT_IT_SAYS)
    if listed:
        held = set(held_traces(store)["trace_id"])
        _note(store, [item for item in listed if item.trace_id in held])


def _note(store: Store, items: Sequence[Release]) -> None:
    if items:
        rows = frame("releases", [item.model_dump() for item in items])
        store.replace({"trace_id": [item.trace_id for item in items]}, {"releases": rows})
