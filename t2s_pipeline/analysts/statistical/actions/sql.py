"""SQL statements: by statement type and clause features, read with sqlglot."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from t2s_pipeline.analysts.statistical.actions.action import Action, code_argument, only_string

INSPECTS = "looks at the schema"
UNPARSED = "not parsable as SQL"
UNREADABLE_NAME = "text that is not SQL"

_TOOL = re.compile(r"sql|query|duckdb|sqlite|postgres|mysql|bigquery|snowflake", re.IGNORECASE)
_KEYS = ("query", "sql", "statement", "code", "q")
_STATEMENT = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(select|with|insert|update|delete|create|drop|alter|describe|desc|show|explain"
    r"|pragma|use|truncate|merge|from|summarize|set|copy|values)\b",
    re.IGNORECASE,
)
_SCHEMA = re.compile(
    r"^\s*(?:desc|describe|show|summarize|pragma\s+(?:table_info|show_tables|database_list))\b"
    r"|information_schema|sqlite_master|duckdb_(?:tables|columns)|pg_catalog",
    re.IGNORECASE,
)
_STRING = re.compile(r"'(?:[^']|'')*'")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def claims(tool: str, arguments: Mapping[str, Any]) -> str | None:
    """The statement of a call that is SQL: by the tool's name, or by a first word that is."""
    named = _TOOL.search(tool) is not None
    code = code_argument(arguments, _KEYS) or (only_string(arguments) if named else None)
    if code is None:
        return None
    if _STATEMENT.match(code) and (named or "select" in code.lower()):
        return code
    return code if named and tool.lower() in ("sql", "run_sql", "execute_sql") else None


def abstract(code: str) -> Action:
    """The statement's type as name, its clauses as features."""
    # Literals do not change the features, except for LIMIT 1 and the patterns of LIKE; masking them
    # lets one parse serve every query of the same form.
    shape = _NUMBER.sub(lambda m: m[0] if m[0] in ("0", "1") else "2", code)
    shape = _STRING.sub(lambda m: "'%x'" if "%" in m[0] else "'x'", shape)
    name, features = _read(shape)
    return Action("sql", name, features, code)


_LONGEST = 20_000
"""Characters of a statement that is parsed: no agent writes longer ones, and walking them takes long."""


def snippet(code: str, feature: str) -> str | None:
    """The part of a statement that has a feature, as SQL; None when it cannot be told apart."""
    try:
        trees = [tree for tree in sqlglot.parse(code, dialect=_dialect(code)) if tree]
    except (SqlglotError, RecursionError):
        return None
    for tree in trees:
        for node in tree.walk():
            if feature in _features_of(node):
                shown = node.parent if isinstance(node, exp.Distinct) else node
                if isinstance(shown, exp.Select):
                    return f"SELECT DISTINCT {', '.join(column.sql() for column in shown.expressions)} FROM …"
                return (shown or node).sql()
    return None


def tables(code: str) -> set[str]:
    """Names of the tables that a statement reads, in lower case; its common table expressions are none."""
    try:
        trees = [tree for tree in sqlglot.parse(code, dialect=_dialect(code)) if tree]
    except (SqlglotError, RecursionError):
        return set()
    named = {node.name.lower() for tree in trees for node in tree.find_all(exp.Table)}
    return named - {node.alias.lower() for tree in trees for node in tree.find_all(exp.CTE)} - {""}


@lru_cache(maxsize=16_384)
def _read(shape: str) -> tuple[str, tuple[str, ...]]:
    match = _STATEMENT.match(shape)
    if match is None:
        return UNREADABLE_NAME, (UNPARSED,)
    name = {"DESC": "DESCRIBE", "WITH": "SELECT", "FROM": "SELECT"}.get(match[1].upper(), match[1].upper())
    features: set[str] = set()
    if _SCHEMA.search(shape):
        features.add(INSPECTS)
    if name in ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"):
        if len(shape) > _LONGEST:
            return name, tuple(sorted(features | {UNPARSED}))
        try:
            trees = [tree for tree in sqlglot.parse(shape, dialect=_dialect(shape)) if tree]
        except (SqlglotError, RecursionError):
            return name, tuple(sorted(features | {UNPARSED}))
        for tree in trees:
            features |= _clauses(tree)
        if len(trees) > 1:
            features.add("several statements at once")
    return name, tuple(sorted(features))


def _dialect(shape: str) -> str | None:
    """Back-quoted names are MySQL's; everything else reads well with the general dialect."""
    return "mysql" if "`" in shape else None


_BY_NODE: dict[type[exp.Expr], str] = {
    exp.Distinct: "DISTINCT",
    exp.Group: "GROUP BY",
    exp.Having: "HAVING",
    exp.Order: "ORDER BY",
    exp.Window: "a window function",
    exp.With: "a common table expression (WITH)",
    exp.Union: "UNION",
    exp.Except: "EXCEPT",
    exp.Intersect: "INTERSECT",
    exp.Case: "CASE",
    exp.Cast: "CAST",
    exp.TryCast: "CAST",
    exp.Like: "LIKE",
    exp.ILike: "LIKE",
    exp.In: "IN",
    exp.Exists: "EXISTS",
    exp.Coalesce: "COALESCE",
    exp.Round: "ROUND",
}

KEYWORDS = frozenset(label for label in _BY_NODE.values() if label.isupper()) | {"JOIN", "LIMIT"}
"""Features that are the keyword itself."""


def _clauses(tree: exp.Expr) -> set[str]:
    found: set[str] = set()
    tables: set[str] = set()
    for node in tree.walk():
        found |= _features_of(node)
        if isinstance(node, exp.Table):
            tables.add(node.name.lower())
    if "JOIN" in found and "GROUP BY inside a subquery" not in found:
        found |= {f"{name} directly over a JOIN" for name in ("SUM()", "COUNT()", "AVG()") if name in found}
    if len(tables) > 2:
        found.add("three or more tables")
    return found


def _features_of(node: exp.Expr) -> set[str]:
    """Features that a node has by itself."""
    found: set[str] = set()
    label = _BY_NODE.get(type(node))
    if label:
        found.add(label)
    if isinstance(node, exp.Join):
        side = (node.side or "").upper()
        found |= {"JOIN", f"{side} JOIN"} if side else {"JOIN"}
    elif isinstance(node, exp.Limit):
        found.add("LIMIT 1" if node.expression.sql() == "1" else "LIMIT")
    elif isinstance(node, exp.Subquery | exp.CTE):
        found.add("a subquery")
        if node.this.find(exp.Group):
            found.add("GROUP BY inside a subquery")
    elif isinstance(node, exp.Star) and isinstance(node.parent, exp.Select):
        found.add("SELECT *")
    elif isinstance(node, exp.AggFunc):
        name = node.sql_name()
        found.add(f"{name}(DISTINCT …)" if node.find(exp.Distinct) else f"{name}()")
    elif isinstance(node, exp.Predicate) and node.find_ancestor(exp.Where, exp.Having):
        column = node.find(exp.Column)
        if column is not None and not node.find(exp.Subquery, exp.Select):
            nulls = "NULLs of " if isinstance(node, exp.Is) else ""
            found.add(f"a filter on {nulls}`{column.name.lower()}`")
    return found
