"""Taking rows out of the database for good, where replacing what a scope holds is not enough.

DuckDB gives the space of deleted rows back to itself with their bytes still in it. What must be gone from
the file too is gone after the database has been written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from t2s_pipeline.store.tables import tables

_HISTORY = "llm_calls"
"""What was paid stays in the books, without saying for which trace."""


def erase_traces(connection: duckdb.DuckDBPyConnection, trace_ids: Sequence[str]) -> dict[str, int]:
    """Remove traces, everything that is about them, and every lesson that quotes them, whichever trace
    teaches it; rows removed by table. One transaction; repeating it removes nothing more.
    """
    ids = list(trace_ids)
    removed: dict[str, int] = {}
    connection.begin()
    try:
        lessons = connection.execute(
            "SELECT lesson_id FROM lessons WHERE trace_id IN (SELECT unnest($ids::VARCHAR[]))"
            " UNION SELECT lesson_id FROM evidence WHERE trace_id IN (SELECT unnest($ids::VARCHAR[]))",
            {"ids": ids},
        ).fetchall()
        taught = [lesson_id for (lesson_id,) in lessons]
        for name, table in sorted(tables().items()):
            count = 0
            if "lesson_id" in table.columns:
                count += _delete(connection, name, "lesson_id", taught)
            if "trace_id" in table.columns and name != _HISTORY:
                count += _delete(connection, name, "trace_id", ids)
            if count:
                removed[name] = count
        connection.execute(
            f"UPDATE {_HISTORY} SET trace_id = NULL, error = NULL"
            " WHERE trace_id IN (SELECT unnest($ids::VARCHAR[]))",
            {"ids": ids},
        )
        connection.commit()
    except duckdb.Error:
        connection.rollback()
        raise
    return removed


def erase_versions(connection: duckdb.DuckDBPyConnection, skill: str, versions: Sequence[str]) -> None:
    """Remove versions of a skill from the list of versions."""
    connection.execute(
        "DELETE FROM versions WHERE skill = ? AND version IN (SELECT unnest(?::VARCHAR[]))",
        [skill, list(versions)],
    )


def write_anew(database: Path) -> None:
    """Write a database that nobody has open into a new file without what was deleted; it takes the place
    of the old one when it is complete.
    """
    fresh = database.with_name(f"{database.name}.new")
    for path in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        path.unlink(missing_ok=True)
    with duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "1GB"}) as connection:
        connection.execute(f"ATTACH {_quoted(database)} AS old (READ_ONLY)")
        connection.execute(f"ATTACH {_quoted(fresh)} AS fresh")
        connection.execute("COPY FROM DATABASE old TO fresh")
        connection.execute("DETACH fresh")
        connection.execute("DETACH old")
    fresh.replace(database)


def _delete(connection: duckdb.DuckDBPyConnection, table: str, column: str, values: Sequence[str]) -> int:
    # Table and column names come from the schema.
    ((count,),) = connection.execute(
        f"DELETE FROM {table} WHERE {column} IN (SELECT unnest(?::VARCHAR[]))", [list(values)]
    ).fetchall()
    return int(count)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
