"""Vectors of texts, kept by text: none is computed or paid for twice, and what was once told stays so."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from t2s_pipeline.consolidation.embed import Embedder, Vectors
from t2s_pipeline.consolidation.merge import in_threads
from t2s_pipeline.consolidation.nodes import write_parquet
from t2s_pipeline.errors import T2SError

_SCHEMA = pl.Schema({"key": pl.String(), "embedder": pl.String(), "vector": pl.Binary()})


class KeptVectors:
    """An embedder that asks another one for what it does not have, for one consolidation at a time.

    What comes is on disk at once, in a file of its own; `drop_unused` makes one file of all.
    """

    concurrency = 1

    def __init__(self, embedder: Embedder, directory: Path) -> None:
        self.name = embedder.name
        self.texts_at_once = 1 << 31
        self._embedder = embedder
        self._directory = directory
        self._used: set[str] = set()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, in their order.

        Raises:
            T2SError: the other embedder has none, or gives vectors of another length than before. Those
                that came are kept.
        """
        keys = [sha256(text.encode()).hexdigest() for text in texts]
        self._used.update(keys)
        rows = self._rows().filter(pl.col("embedder") == self.name)
        kept = dict(rows.select("key", "vector").iter_rows())
        wanted = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        missing = list(wanted)
        at_once = self._embedder.texts_at_once
        batches = [missing[start : start + at_once] for start in range(0, len(missing), at_once)]

        def told(batch: Sequence[str]) -> dict[str, bytes]:
            vectors = self._embedder.embed([wanted[key] for key in batch])
            new = {key: vector.tobytes() for key, vector in zip(batch, vectors, strict=True)}
            columns = {"key": list(new), "embedder": self.name, "vector": list(new.values())}
            self._write(pl.DataFrame(columns, schema=_SCHEMA))
            return new

        for new in in_threads(told, batches, self._embedder.concurrency):
            kept |= new
        if len({len(body) for body in kept.values()}) > 1:
            raise T2SError(
                f"{self.name} gives vectors of another length than the ones kept in {self._directory}: it is "
                "not the model it was. Delete that folder and run again."
            )
        return np.frombuffer(b"".join(kept[key] for key in keys), dtype=np.int8).reshape(len(keys), -1)

    def drop_unused(self) -> None:
        """Forget the texts nobody asked about since this object was made."""
        if not self._directory.is_dir():
            return
        files = list(self._directory.iterdir())
        rows = self._rows()
        used = rows.filter(pl.col("key").is_in(self._used))
        if len(files) > 1 or used.height < rows.height:
            whole = self._write(used)
            for file in files:
                if file != whole:
                    file.unlink(missing_ok=True)

    def _rows(self) -> pl.DataFrame:
        """Everything that is kept, of every embedder, each text once; damaged files hold nothing."""
        found = [pl.DataFrame(schema=_SCHEMA)]
        for file in sorted(self._directory.glob("*.parquet")):
            try:
                found.append(pl.read_parquet(file, glob=False).select(*_SCHEMA).cast(_SCHEMA))
            except (OSError, pl.exceptions.PolarsError):
                continue
        return pl.concat(found).unique(["key", "embedder"], keep="first", maintain_order=True)

    def _write(self, rows: pl.DataFrame) -> Path:
        """Into a file that is named after the texts in it."""
        name = sha256("\n".join([*rows["key"], *rows["embedder"]]).encode()).hexdigest()
        path = self._directory / f"{name}.parquet"
        write_parquet(path, rows)
        return path
