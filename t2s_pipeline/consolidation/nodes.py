"""Answers of an engine, kept by the key of the node they belong to.

One small file per node, written whole or not at all, rather than rows of the store: an answer is durable
the moment it arrives, several runs may write at once without a lock, and a killed run pays nothing twice.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

import orjson
import polars as pl


def node_key(level: str, children: object, *made_by: str) -> str:
    """Key of a node: its level, what its children are (JSON) and who merges them (name, version, …)."""
    body = orjson.dumps([level, children, made_by], option=orjson.OPT_SORT_KEYS)
    return sha256(body).hexdigest()


class Nodes(Protocol):
    """Where answers are kept by node key."""

    def get(self, key: str) -> bytes | None:
        """The answer of a node, or None when it has none yet."""
        ...

    def put(self, key: str, body: bytes) -> None:
        """Keep the answer of a node."""
        ...

    def keep(self, key: str) -> None:
        """Count the answer of a node as asked for, without reading it."""
        ...


class NodeFiles:
    """Answers as files in a directory of their own, for one consolidation at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._used: set[str] = set()

    def get(self, key: str) -> bytes | None:
        self._used.add(key)
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, key: str, body: bytes) -> None:
        self._used.add(key)
        with _whole(self._path(key)) as file:
            file.write(body)

    def keep(self, key: str) -> None:
        self._used.add(key)

    def drop_unused(self) -> None:
        """Remove every answer that was not asked for since this object was made: its node is gone, and
        what a forgotten trace taught must not stay behind.
        """
        for path in self._root.glob("??/*"):
            if path.stem not in self._used:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.json"


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Write a small table whole or not at all."""
    with _whole(path) as file:
        frame.write_parquet(file, compression="lz4", statistics=False)


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as file:
        yield file
    Path(name).replace(path)


class NodesInMemory:
    """Answers of one call, forgotten afterwards."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._bodies.get(key)

    def put(self, key: str, body: bytes) -> None:
        self._bodies[key] = body

    def keep(self, key: str) -> None:
        """Everything is kept."""
