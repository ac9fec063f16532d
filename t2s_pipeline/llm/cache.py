"""Validated replies on disk, so that no question is paid for twice.

One file per question, named by the hash of everything that was asked, written to a temporary name and
renamed: a killed run leaves whole files or none. A file that cannot be read counts as absent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class StoredReply(BaseModel):
    """A reply that fitted its model, with what it cost when it was paid for."""

    model_config = ConfigDict(frozen=True)

    text: str
    about: tuple[str, ...] = ()
    """Ids of the traces whose text was in the question: what `forget` looks for."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float = 0.0
    attempts: int = 1
    problem: str = ""
    """Why the reply could not be used; empty for the replies `get` returns."""


class ReplyCache:
    """Replies by key under one directory; safe with several processes writing at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, key: str) -> StoredReply | None:
        """The reply stored under `key`, or None."""
        return _read(self._path(key))

    def put(self, key: str, reply: StoredReply) -> None:
        """Store `reply`; it is on disk under its name when this returns."""
        write_atomically(self._path(key), reply.model_dump_json().encode())

    def keep_failed(self, key: str, reply: StoredReply) -> Path:
        """Keep a reply that could not be used, for a person to look at; `get` never returns it."""
        path = self.directory / "failed" / f"{key}.json"
        write_atomically(path, reply.model_dump_json().encode())
        return path

    def forget(self, trace_ids: Collection[str]) -> int:
        """Delete every reply, usable or not, to a question that held text of these traces; returns how
        many. A file that cannot be read goes too: what it holds cannot be told.
        """
        wanted = set(trace_ids)
        gone = 0
        for path in self.directory.glob("*/*.json"):
            reply = _read(path)
            if reply is None or wanted.intersection(reply.about):
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _path(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.json"


def replies_in(cache_dir: Path) -> ReplyCache:
    """The replies in a folder that also holds what is known of endpoints and budgets: that is about no
    trace, and is neither counted nor forgotten with them.
    """
    return ReplyCache(cache_dir / "replies")


def _read(path: Path) -> StoredReply | None:
    try:
        return StoredReply.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is either whole or not there, whoever else writes the same one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        _write(temporary, content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
