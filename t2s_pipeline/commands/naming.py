"""Which trace a person means."""

from __future__ import annotations

from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import queries

_LISTED = 5
"""Traces named when it is not clear which one is meant."""


def trace_named(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """The row of `traces` with that id (its beginning is enough) or that source.

    Raises:
        TraceError: no trace, or more than one, answers to the name.
    """
    found = queries.traces_named(pipeline.store, name).to_dicts() if name else []
    if found and (len(found) == 1 or found[0]["trace_id"] == name):
        return found[0]
    if not found:
        raise TraceError(
            f"There is no trace {name!r}. A trace is named by its id or its source as `t2s explain` shows "
            "them, such as t-0123456789abcdef or chat.jsonl#L5."
        )
    listed = ", ".join(f"{row['trace_id']} ({row['uri']})" for row in found[:_LISTED])
    more = f" and {len(found) - _LISTED:,} more" if len(found) > _LISTED else ""
    raise TraceError(f"{len(found):,} traces answer to {name!r}: {listed}{more}.")
