"""One staged set into the database, in one transaction that can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from t2s_pipeline.store.stage import StagedSet
from t2s_pipeline.store.tables import REFINED_BY, table

_OF_THEIR_TRACE = ("steps", "redactions", "held")
"""Tables that are written with the traces they are about: left out where their trace is."""


@dataclass(frozen=True)
class SetReport:
    """One set that is in the database."""

    name: str
    scope: tuple[str, tuple[str, ...]]
    """Column and values."""
    rows: Mapping[str, int]
    """Rows inserted, by table."""
    duplicates: int
    """Traces left out because another batch (or the same set) already has them."""


def load_set(connection: duckdb.DuckDBPyConnection, staged: StagedSet) -> SetReport:
    """Replace the rows of the set's scope by its rows; loading a set again gives the same rows.

    A trace that another scope already holds is left out with everything that is written with it: the first
    one stays.
    """
    manifest = staged.manifest
    connection.begin()
    try:
        for name, brought in manifest.rows.items():
            _delete_scope(connection, staged, name, brought)
        rows = dict.fromkeys(manifest.rows, 0)
        # Traces first: what else is inserted depends on them.
        for name in sorted(manifest.rows, key=lambda name: (name != "traces", name)):
            if manifest.rows[name]:
                rows[name] = _insert(connection, staged, name)
        skipped = manifest.duplicates + manifest.rows.get("traces", 0) - rows.get("traces", 0)
        if "traces" in rows and "batch_stages" in rows:
            _count_traces(connection, staged, rows["traces"], skipped)
        connection.commit()
    except duckdb.Error:
        connection.rollback()
        raise
    return SetReport(staged.path.name, (manifest.scope_column, manifest.scope_values), rows, skipped)


def report_of_loaded(connection: duckdb.DuckDBPyConnection, staged: StagedSet) -> SetReport:
    """The report of a set that another process has loaded."""
    manifest = staged.manifest
    rows = dict(manifest.rows)
    for name in {"traces", *_OF_THEIR_TRACE} & rows.keys():
        in_scope, values = _in_scope(staged)
        rows[name] = _number(connection.execute(f"SELECT count(*) FROM {name} WHERE {in_scope}", [values]))
    skipped = manifest.duplicates + manifest.rows.get("traces", 0) - rows.get("traces", 0)
    return SetReport(staged.path.name, (manifest.scope_column, manifest.scope_values), rows, skipped)


def _in_scope(staged: StagedSet) -> tuple[str, object]:
    """The condition that a row is in the scope of a set, and its one parameter."""
    # Table and column names come from `tables`, which refuses unknown ones.
    column, values = staged.manifest.scope_column, staged.manifest.scope_values
    if len(values) == 1:
        # Unlike a list of values, one value lets DuckDB skip the parts of a table that cannot have it.
        return f"{column} = ?", values[0]
    return f"{column} IN (SELECT unnest(?::VARCHAR[]))", list(values)


def _delete_scope(connection: duckdb.DuckDBPyConnection, staged: StagedSet, name: str, brought: int) -> None:
    in_scope, values = _in_scope(staged)
    sql = f"DELETE FROM {name} WHERE {in_scope}"
    parameters = [values]
    if name in REFINED_BY:
        if not brought:
            return
        column = REFINED_BY[name]
        sql += f" AND {column} IN (SELECT {column} FROM read_parquet(?))"
        parameters.append(str(staged.parquet(name)))
    connection.execute(sql, parameters)


def _insert(connection: duckdb.DuckDBPyConnection, staged: StagedSet, name: str) -> int:
    columns = ", ".join(table(name).columns)
    sql = f"INSERT INTO {name} ({columns}) SELECT {columns} FROM read_parquet(?)"
    parameters: list[object] = [str(staged.parquet(name))]
    if name == "traces":
        sql += " WHERE trace_id NOT IN (SELECT trace_id FROM traces)"
    elif name in _OF_THEIR_TRACE and "traces" in staged.manifest.rows:
        in_scope, values = _in_scope(staged)
        sql += f" WHERE trace_id IN (SELECT trace_id FROM traces WHERE {in_scope})"
        parameters.append(values)
    return _number(connection.execute(sql, parameters))


def _count_traces(
    connection: duckdb.DuckDBPyConnection, staged: StagedSet, traces: int, skipped: int
) -> None:
    in_scope, values = _in_scope(staged)
    connection.execute(
        "UPDATE batch_stages SET traces = ?, duplicates = duplicates + ?"
        f" WHERE stage = 'traces' AND {in_scope}",
        [traces, skipped, values],
    )


def _number(result: duckdb.DuckDBPyConnection) -> int:
    """The single number a statement returns; all rows are fetched because DuckDB keeps a connection
    with an unfinished result from running anything else.
    """
    ((number,),) = result.fetchall()
    return int(number)
