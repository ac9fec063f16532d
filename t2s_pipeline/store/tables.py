"""The tables of the store as code sees them, read from `schema.sql` so that there is one description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import polars as pl

SCHEMA_VERSION = 1
"""Raised whenever `schema.sql` changes in a way that an existing database does not have."""

SCHEMA_SQL = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")

REFINED_BY = {"batch_stages": "stage", "versions": "version"}
"""Tables in which one scope holds rows of several writers: a write replaces only the rows of its scope
that share a value of this column with the rows it brings."""

_POLARS_TYPES: Mapping[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "VARCHAR[]": pl.List(pl.String()),
    "DOUBLE": pl.Float64(),
    "BOOLEAN": pl.Boolean(),
    "INTEGER": pl.Int32(),
    "BIGINT": pl.Int64(),
    "UBIGINT": pl.UInt64(),
}


@dataclass(frozen=True)
class Table:
    """One table: its columns in order and which of them must have a value."""

    name: str
    columns: Mapping[str, pl.DataType]
    required: frozenset[str]


@cache
def tables() -> Mapping[str, Table]:
    """Every table that can be written, by name."""
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute(SCHEMA_SQL)
        rows = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns"
            " WHERE table_name <> 'schema_version' ORDER BY table_name, ordinal_position"
        ).fetchall()
    columns: dict[str, dict[str, pl.DataType]] = {}
    required: dict[str, set[str]] = {}
    for table, column, data_type, is_required in rows:
        columns.setdefault(table, {})[column] = _POLARS_TYPES[data_type]
        required.setdefault(table, set())
        if is_required:
            required[table].add(column)
    return {name: Table(name, columns[name], frozenset(required[name])) for name in columns}


def table(name: str) -> Table:
    """The table of that name.

    Raises:
        ValueError: there is no such table.
    """
    known = tables()
    if name not in known:
        raise ValueError(f"the store has no table {name!r}; it has {', '.join(sorted(known))}")
    return known[name]


def conform(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the columns and types of the table.

    Raises:
        ValueError: a column is missing, unknown, empty where a value is required, or of a type that
            cannot be converted without loss.
    """
    target = table(name)
    missing = target.columns.keys() - set(frame.columns)
    unknown = set(frame.columns) - target.columns.keys()
    if missing or unknown:
        raise ValueError(
            f"rows for table {name}: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}"
        )
    if list(frame.schema.items()) == list(target.columns.items()):
        typed = frame
    else:
        typed = _cast(target, frame)
    empty = [column for column in target.required if typed[column].null_count()]
    if empty:
        raise ValueError(f"rows for table {name}: no value in required columns {sorted(empty)}")
    return typed


def _cast(target: Table, frame: pl.DataFrame) -> pl.DataFrame:
    try:
        return frame.select(pl.col(column).cast(kind) for column, kind in target.columns.items())
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"rows for table {target.name} do not have its column types: {error}") from error
