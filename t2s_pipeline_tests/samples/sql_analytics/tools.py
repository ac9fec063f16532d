"""The tools an agent has: the database answers for itself, nothing here is made up."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb

from t2s_pipeline_tests.samples.attempt import Reply
from t2s_pipeline_tests.samples.sql_analytics.warehouse import connect

SHOWN_ROWS = 12
"""Rows of a result that are shown to the agent, as most SQL tools cut."""

SHOWN_CANDIDATES = 600
"""Characters of an error that are shown: DuckDB can list a hundred candidate functions."""


class Database:
    """One agent's session. Tables cannot be changed by the agents, so tasks may share it."""

    def __init__(self) -> None:
        self._connection = connect()

    def call(self, tool: str, arguments: dict[str, str]) -> Reply:
        """Run one of the tools of the chat agents."""
        match tool:
            case "list_tables":
                return self._select("SHOW TABLES")
            case "describe_table":
                return self._describe(arguments["table"])
            case "run_sql":
                return self._select(arguments["query"])
            case "submit_answer":
                return submit(arguments["value"])
        raise ValueError(f"no such tool: {tool}")

    def execute(self, statement: str) -> Reply:
        """Run a statement the way the InterCode environment does: rows as Python tuples."""
        try:
            rows = self._connection.execute(statement).fetchall()
        except duckdb.Error as error:
            return Reply(f"Error executing query: {_shortened(str(error))}", ok=False)
        shown = ", ".join(_tuple(row) for row in rows[:SHOWN_ROWS])
        more = f", … {len(rows) - SHOWN_ROWS} more rows" if len(rows) > SHOWN_ROWS else ""
        return Reply(f"[{shown}{more}]", cell=rows[0][0] if rows else None, rows=len(rows))

    def _describe(self, table: str) -> Reply:
        try:
            rows = self._connection.execute(f'DESCRIBE "{table}"').fetchall()
        except duckdb.Error as error:
            return Reply(_shortened(str(error)), ok=False)
        return Reply(f"{table}\n" + "\n".join(f"  {row[0]} {row[1]}" for row in rows), rows=len(rows))

    def _select(self, query: str) -> Reply:
        try:
            result = self._connection.execute(query)
            names = [column[0] for column in result.description or ()]
            rows = result.fetchall()
        except duckdb.Error as error:
            return Reply(_shortened(str(error)), ok=False)
        lines = [" | ".join(names), *(" | ".join(map(_shown, row)) for row in rows[:SHOWN_ROWS])]
        if len(rows) > SHOWN_ROWS:
            lines.append(f"... {len(rows) - SHOWN_ROWS} more rows not shown")
        lines.append(f"({len(rows)} row{'' if len(rows) == 1 else 's'})")
        return Reply("\n".join(lines), cell=rows[0][0] if rows else None, rows=len(rows))


def submit(value: str) -> Reply:
    """The answer box: it takes a plain number or a plain name, and says so when it gets neither."""
    text = value.strip()
    if not text:
        return Reply("ValidationError: value must not be empty", ok=False)
    if re.search(r"\d", text) and re.search(r"\d,\d{3}|€|\bEUR\b|\borders\b|\bkg\b", text):
        return Reply(
            f"ValidationError: value must be a plain number or name without unit, currency or thousands "
            f"separator, got {value!r}",
            ok=False,
        )
    return Reply("Answer recorded.")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "NULL" if value is None else str(value)


def _tuple(row: Sequence[object]) -> str:
    cells = [f"'{cell}'" if isinstance(cell, str) else _shown(cell).replace("NULL", "None") for cell in row]
    return f"({', '.join(cells)}{',' if len(cells) == 1 else ''})"


def _shortened(message: str) -> str:
    """The error as the tool shows it: the head and the marked line, without a wall of candidates."""
    if len(message) <= SHOWN_CANDIDATES:
        return message.strip()
    head, marked = message.split("\n\n", 1)[0], message[message.rfind("LINE ") :]
    return f"{head[:SHOWN_CANDIDATES]}\n\t...\n\n{marked}".strip()
