"""The abstract form of a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

ActionKind = Literal["sql", "shell", "python", "other"]


@dataclass(frozen=True)
class Action:
    """A call by what it does rather than by its text."""

    kind: ActionKind
    name: str
    """`SELECT`, `git commit`, `load_workbook`, `book_reservation`."""
    features: tuple[str, ...] = ()
    """Sorted; each a phrase a person can read, such as `DISTINCT` or `filter on status`."""
    code: str | None = None
    """The statement, command or program, where the tool takes one."""


def subject_of(kind: ActionKind, tool: str) -> str:
    """What a lesson about a call is about: the language where there is one, else the tool. Tools that run
    SQL go by many names, and what the database refuses is the same under all of them."""
    return tool if kind == "other" else kind


def code_argument(arguments: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    """The first argument among `keys` that is a non-empty string."""
    for key in keys:
        value = arguments.get(key)
        if isinstance(value, str) and value.strip():
            return value
    return None


def only_string(arguments: Mapping[str, Any]) -> str | None:
    """The single string argument of a call that has just one argument."""
    if len(arguments) != 1:
        return None
    value = next(iter(arguments.values()))
    return value if isinstance(value, str) and value.strip() else None
