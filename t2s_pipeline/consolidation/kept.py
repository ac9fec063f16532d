"""Drafts of earlier consolidations, so that an update looks at what changed and at nothing else.

A draft is kept by the hash of the lessons it is made of and of what made it, and follows from these alone:
without the file, or with any part of it, the same clusters come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import orjson
import polars as pl

from t2s_pipeline.analysts.lesson import Section
from t2s_pipeline.consolidation.cluster import Placement
from t2s_pipeline.consolidation.nodes import write_parquet

Fields = tuple[str, Section, Placement, str, bool, bool, str, str]
"""The fields of a draft in the order of `_COLUMNS`."""

_COLUMNS = {
    "cluster_id": pl.String(),
    "section": pl.String(),
    "placement": pl.String(),
    "advice": pl.String(),
    "silent": pl.Boolean(),
    "gated": pl.Boolean(),
    "node": pl.String(),
    "body": pl.String(),
}


class KeptDrafts:
    """Drafts by their lessons, for one consolidation at a time."""

    def __init__(self, *made_by: object) -> None:
        """`made_by` is everything besides the lessons that decides what a draft is."""
        self._start = blake2b(orjson.dumps(made_by), digest_size=16)
        self._file = pl.DataFrame(schema={"key": pl.String(), **_COLUMNS})
        self._is_read = False
        self._kept: dict[str, Fields] = {}
        self._used: set[str] = set()
        self._new: dict[str, Fields] = {}

    def read(self, path: Path) -> None:
        """Take over what was written; a file that is missing or damaged holds nothing."""
        try:
            self._file = pl.read_parquet(path, glob=False).select("key", *_COLUMNS)
        except (OSError, pl.exceptions.PolarsError):
            return
        self._kept = {row[0]: row[1:] for row in self._file.iter_rows()}
        self._is_read = True

    def get(self, lesson_ids: Sequence[str]) -> Fields | None:
        """The draft of exactly these lessons (sorted), or None when there is none yet."""
        key = self._key(lesson_ids)
        fields = self._kept.get(key)
        if fields is not None:
            self._used.add(key)
        return fields

    def put(self, lesson_ids: Sequence[str], fields: Fields) -> None:
        """Keep the draft of these lessons."""
        self._new[self._key(lesson_ids)] = fields

    def write(self, path: Path) -> None:
        """Keep what was asked for since this object was made, and drop the rest: what a forgotten trace
        taught must not stay behind.
        """
        if self._is_read and not self._new and len(self._used) == len(self._kept):
            return
        rows = [(key, *fields) for key, fields in self._new.items()]
        new = pl.DataFrame(rows, schema=self._file.schema, orient="row")
        write_parquet(path, pl.concat([self._file.filter(pl.col("key").is_in(self._used)), new]))

    def _key(self, lesson_ids: Sequence[str]) -> str:
        digest = self._start.copy()
        digest.update("\n".join(lesson_ids).encode())
        return digest.hexdigest()
