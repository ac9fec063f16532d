"""What people decided about traces, on lists beside the store: one JSON object per line, one per trace.

Each list is a file and no table, because the store may be thrown away and built anew from the inbox, and
what a person decided is not in the inbox.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_pipeline.errors import TraceError


class Decision(BaseModel):
    """What a person decided about one trace."""

    model_config = ConfigDict(frozen=True)

    trace_id: str


Kind = TypeVar("Kind", bound=Decision)


def decisions(file: Path, kind: type[Kind], what_it_says: str) -> list[Kind]:
    """What is on a list now, oldest first; nothing without a list.

    Raises:
        TraceError: the list cannot be read; nothing may be read from the inbox then.
    """
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TraceError(f"{file} cannot be read: {error.strerror}.") from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(kind.model_validate_json(line))
        except ValidationError as error:
            raise TraceError(
                f"{file} line {number} cannot be read. It says {what_it_says}; "
                "put it right or restore the file before the inbox is read again."
            ) from error
    return found


def add_decisions(file: Path, kind: type[Kind], what_it_says: str, items: Iterable[Kind]) -> None:
    """Put traces on a list; one that is on it keeps its place and gets the newer entry. On disk when this
    returns. Raises TraceError when the list cannot be read.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(f".{file.name}.lock")):
        whole = {item.trace_id: item for item in (*decisions(file, kind, what_it_says), *items)}
        lines = "".join(item.model_dump_json() + "\n" for item in whole.values())
        _write_whole(file, lines.encode())


def _write_whole(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
