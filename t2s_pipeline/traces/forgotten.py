"""Traces that a person had forgotten: what keeps the file that still holds one from bringing it back.

One line per trace in `data/forgotten.jsonl`, without a word of it: ids, and the file it came from. The list
is a file and no table, because the store may be thrown away and built anew from the inbox.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.traces.record import TraceRecord


class Forgotten(BaseModel):
    """One trace that must not come back."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
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
    try:
        lines = paths.forgotten.read_bytes().splitlines()
    except FileNotFoundError:
        return Tombstones(())
    except OSError as error:
        raise TraceError(f"{paths.forgotten} cannot be read: {error.strerror}.") from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Forgotten.model_validate_json(line))
        except ValidationError as error:
            raise TraceError(
                f"{paths.forgotten} line {number} cannot be read. It says which traces must not come back; "
                "put it right or restore the file before the inbox is read again."
            ) from error
    return Tombstones(found)


def add_tombstones(paths: DataPaths, items: Sequence[Forgotten]) -> None:
    """Put traces on the list; one that is on it keeps its place and gets the newer entry. On disk when this
    returns. Raises TraceError when the list cannot be read.
    """
    paths.root.mkdir(parents=True, exist_ok=True)
    with FileLock(paths.forgotten.with_name(f".{paths.forgotten.name}.lock")):
        whole = {item.trace_id: item for item in (*tombstones(paths).items, *items)}
        lines = "".join(item.model_dump_json() + "\n" for item in whole.values())
        _write_whole(paths.forgotten, lines.encode())


def _write_whole(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
