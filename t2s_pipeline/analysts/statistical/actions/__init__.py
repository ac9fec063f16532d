"""What a tool call is, abstracted: a name, and features that can be compared over runs.

One file per kind of tool (SQL, shell, Python, anything else). A kind is a module with `claims`, which
finds its code in the arguments, and `abstract`, which reads that code. The first that claims wins;
`other` claims everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from t2s_pipeline.analysts.statistical.actions import other, python, shell, sql
from t2s_pipeline.analysts.statistical.actions.action import Action

_KINDS: tuple[tuple[Callable[[str, Mapping[str, Any]], str | None], Callable[[str], Action]], ...] = (
    (sql.claims, sql.abstract),
    (python.claims, python.abstract),
    (shell.claims, shell.abstract),
)

__all__ = ["Action", "abstract"]


def abstract(tool: str, arguments: Mapping[str, Any]) -> Action:
    """The abstract action of a call. Never raises: code that does not parse is an action too."""
    for claims, read in _KINDS:
        code = claims(tool, arguments)
        if code is not None:
            return read(code)
    return other.abstract(tool, arguments)
