"""The strings inside a JSON value, in document order, and a way to put others in their place.

Nothing here recurses: a value nested a thousand levels deep is walked like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Shape:
    """Which fields carry structure and not text."""

    structural: frozenset[str]
    """Keys whose strings are left alone: what pairs calls with results, kinds, times."""
    content: frozenset[str]
    """Keys below which everything is content, whatever it is called."""


ATIF_SHAPE = Shape(
    structural=frozenset(
        {"tool_call_id", "source_call_id", "timestamp", "schema_version", "session_id", "trajectory_id"}
        | {"type", "media_type", "source"}
    ),
    content=frozenset({"arguments", "extra", "tool_definitions"}),
)
RAW_SHAPE = Shape(
    structural=frozenset(
        {
            "tool_call_id",
            "call_id",
            "tool_use_id",
            "toolUseID",
            "source_call_id",
            "uuid",
            "parentUuid",
            "leafUuid",
        }
        | {"parent_tool_use_id"}
    ),
    content=frozenset({"arguments", "input", "extra", "metadata"}),
)

_PLAIN = frozenset({bool, float, type(None)})
_SHORTEST_TEXT = 4
"""Characters; nothing shorter is taken for a secret."""
_NUMBER_NAME = re.compile(r"(?i)card|passw|pwd|passcode|pin$")
"""Fields whose numbers are read as text: a card number or a PIN may be written without quotes."""


@dataclass(slots=True)
class Layout:
    """The strings of a value laid out in a list."""

    places: list[tuple[Any, Any]] = field(default_factory=list)
    """Container and key (or index) of each string."""
    texts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """The key each string stands under; of a list element, the key of the list; else empty."""
    keys: dict[str, None] = field(default_factory=dict)
    """Every key of every object, in order of first occurrence."""


def lay_out(value: Any, shape: Shape) -> Layout:
    """List the strings of a value; nothing is copied.

    Order is document order, except that the plain strings of an object come before what is nested in it.
    Pydantic models count as objects whose keys are not content.
    """
    layout = Layout()
    places, texts, names = layout.places, layout.texts, layout.names
    pending: list[tuple[Any, str, bool]] = [([value], "", True)]
    while pending:
        container, name, structural = pending.pop()
        nested: list[tuple[Any, str, bool]] = []
        for key, own_name, item in _members(container, name, structural, shape):
            kind = type(item)
            if kind is str:
                if len(item) >= _SHORTEST_TEXT:
                    places.append((container, key))
                    texts.append(item)
                    names.append(own_name)
            elif kind is dict:
                layout.keys.update(dict.fromkeys(item))
                nested.append((item, own_name, structural and own_name not in shape.content))
            elif kind is list or kind is tuple:
                nested.append((item, own_name, structural and own_name not in shape.content))
            elif kind is int:
                if 999 < item < 10**19 and _NUMBER_NAME.search(own_name):
                    places.append((container, key))
                    texts.append(str(item))
                    names.append(own_name)
            elif kind not in _PLAIN and isinstance(item, BaseModel):
                nested.append((item.__dict__, own_name, structural and own_name not in shape.content))
        if nested:
            nested.reverse()
            pending.extend(nested)
    return layout


def with_texts(value: Any, shape: Shape, texts: Sequence[str], renamed: Mapping[str, str]) -> Any:
    """A copy of a value with other strings in the places of its own, and some keys renamed.

    Args:
        value: what was laid out; models in it become dictionaries in the copy.
        shape: the shape it was laid out with.
        texts: one for each text of the layout, in its order.
        renamed: new names of keys.
    """
    copy = [_thawed(value)]
    layout = lay_out(copy, shape)
    for (container, key), old, new in zip(layout.places, layout.texts, texts, strict=True):
        if new != old:
            container[key] = new
    if renamed:
        _rename_keys(copy, renamed)
    return copy[0]


def _members(container: Any, name: str, structural: bool, shape: Shape) -> Iterable[tuple[Any, str, Any]]:
    """Key (or index), name and item of each member that may hold text."""
    if type(container) is not dict:
        return [(index, name, item) for index, item in enumerate(container) if item is not None]
    if structural:
        hidden = shape.structural
        return [
            (key, key, item)
            for key, item in container.items()
            if item is not None and (key not in hidden or type(item) is not str)
        ]
    label = container.get("name") or container.get("key")
    if type(label) is str and "value" in container:
        return [(key, label if key == "value" else key, item) for key, item in container.items()]
    return [(key, key, item) for key, item in container.items() if item is not None]


def _thawed(value: Any) -> Any:
    """A deep copy made of dictionaries and lists only."""
    root = [value]
    pending: list[Any] = [root]
    while pending:
        container = pending.pop()
        for key, item in list(container.items() if type(container) is dict else enumerate(container)):
            if isinstance(item, BaseModel):
                container[key] = item.__dict__.copy()
            elif type(item) is dict:
                container[key] = item.copy()
            elif type(item) is list or type(item) is tuple:
                container[key] = list(item)
            else:
                continue
            pending.append(container[key])
    return root[0]


def _rename_keys(root: list[Any], renamed: Mapping[str, str]) -> None:
    """Rename keys everywhere, keeping the order; keys that become equal are told apart by a number."""
    pending: list[Any] = [root]
    while pending:
        container = pending.pop()
        if isinstance(container, list):
            pending.extend(container)
        elif isinstance(container, dict):
            pending.extend(container.values())
            if not renamed.keys().isdisjoint(container):
                pairs: dict[str, Any] = {}
                for key, item in container.items():
                    name, count = renamed.get(key, key), 2
                    while name in pairs or (key in renamed and name in container):
                        name, count = f"{renamed.get(key, key)} ({count})", count + 1
                    pairs[name] = item
                container.clear()
                container.update(pairs)
