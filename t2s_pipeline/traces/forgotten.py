"""Traces that a person had forgotten: what keeps the file that still holds one from bringing it back.

One line per trace in `data/forgotten.jsonl`, without a word of it: ids, and the file it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from t2s_pipeline.settings import DataPaths
from t2s_pipeline.traces.decisions import Decision, add_decisions, decisions
from t2s_pipeline.traces.record import TraceRecord

_WHAT_IT_SAYS = "which traces must not come back"


class Forgotten(Decision):
    """One trace that must not come back."""

    skill: str
    file: str
    """Relative to the data root."""
    session: str | None = None
    """The record's own id in its file, where no other trace of the file has it: a session that goes on has
    other bytes, and so another trace id, and still holds what was to be forgotten."""
    lessons: tuple[str, ...] = ()
    """Ids of the lessons that rested on it: versions of the skill with one of them are to go."""
    at: str
    """ISO 8601, UTC."""


class Tombstones:
    """The traces of a data root that must not come back."""

    def __init__(self, items: Iterable[Forgotten]) -> None:
        self.items = tuple(items)
        self._ids = {item.trace_id for item in self.items}
        self._sessions = {(item.skill, item.file, item.session) for item in self.items if item.session}

    def bars(self, record: TraceRecord) -> bool:
        """Whether a record is a forgotten trace, or its session continued."""
        if record.trace_id in self._ids:
            return True
        file = record.source.uri.partition("#")[0]
        return (record.skill, file, record.trajectory.session_id) in self._sessions


def tombstones(paths: DataPaths) -> Tombstones:
    """What is on the list now.

    Raises:
        TraceError: the list cannot be read; nothing may be read from the inbox then.
    """
    return Tombstones(decisions(paths.forgotten, Forgotten, _WHAT_IT_SAYS))


def add_tombstones(paths: DataPaths, items: Sequence[Forgotten]) -> None:
    """Put traces on the list; one that is on it keeps its place and gets the newer entry. On disk when this
    returns. Raises TraceError when the list cannot be read.
    """
    add_decisions(paths.forgotten, Forgotten, _WHAT_IT_SAYS, items)
