"""The tree of lines of a Claude Code session, and the path through it that is the conversation.

Lines form a tree through `parentUuid`: an edited prompt starts a branch, parallel tool results hang as
siblings, one API message is split over several lines with the same `message.id`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from t2s_pipeline.traces.format import Json


class SessionTree:
    """The lines of a session and how they hang together: made once, asked for every path."""

    def __init__(self, lines: Sequence[Json]) -> None:
        self.known = {line["uuid"]: line for line in lines if isinstance(line.get("uuid"), str)}
        self.order = {id(line): number for number, line in enumerate(lines)}
        self.roots = _roots_of(self.known)


class SessionPath:
    """The messages that led to the last line of each tree, in conversation order."""

    def __init__(self, tree: SessionTree, talk: Sequence[Json]) -> None:
        wanted = {id(line) for line in talk}
        tips: dict[str, Json] = {}
        chains: list[list[Json]] = []
        for line in talk:
            if tree.known.get(str(line.get("uuid"))) is line:
                tips[tree.roots[line["uuid"]]] = line
            else:
                chains.append([line])
        for tip in tips.values():
            chain = [line for line in _ancestors(tip, tree.known) if id(line) in wanted]
            chains.append(chain[::-1])
        chains.sort(key=lambda chain: tree.order[id(chain[0])])
        self.messages = [line for chain in chains for line in chain]
        self._adopt_siblings(talk)
        self.abandoned = len(talk) - len(self.messages)

    def _adopt_siblings(self, talk: Sequence[Json]) -> None:
        """Adds what belongs to the path without being an ancestor of its end: further lines of one API
        message, and the results of its parallel tool calls."""
        self._insert_after(talk, _own_message, _own_message)
        self._insert_after(talk, _call_ids, _result_ids)

    def _insert_after(
        self, talk: Sequence[Json], marks: Callable[[Json], list[str]], refers: Callable[[Json], list[str]]
    ) -> None:
        """Puts each line that refers to a mark of the path behind the last line that has the mark."""
        places = {mark: number for number, line in enumerate(self.messages) for mark in marks(line)}
        chosen = {id(line) for line in self.messages}
        behind: dict[int, list[Json]] = {}
        for line in talk:
            where = [places[mark] for mark in refers(line) if mark in places]
            if where and id(line) not in chosen:
                behind.setdefault(max(where), []).append(line)
        self.messages = [
            one for number, line in enumerate(self.messages) for one in (line, *behind.get(number, ()))
        ]


def _roots_of(known: Mapping[str, Json]) -> dict[str, str]:
    """For each uuid the uuid of its tree's root; a parent that is not in the file makes a root."""
    roots: dict[str, str] = {}
    for uuid in known:
        path: list[str] = []
        here = uuid
        seen: set[str] = set()
        while here not in roots and here not in seen:
            seen.add(here)
            path.append(here)
            parent = _parent(known[here])
            if parent is None or parent not in known:
                roots[here] = here
                break
            here = parent
        root = roots.get(here, here)
        for one in path:
            roots[one] = root
    return roots


def _ancestors(line: Json, known: Mapping[str, Json]) -> Iterator[Json]:
    """The line, its parent, and so on; stops at a cycle."""
    seen: set[str] = set()
    here: Json | None = line
    while here is not None and here["uuid"] not in seen:
        seen.add(here["uuid"])
        yield here
        here = known.get(_parent(here) or "")


def _parent(line: Json) -> str | None:
    parent = line.get("parentUuid") or line.get("logicalParentUuid")
    return parent if isinstance(parent, str) else None


def message_id(line: Json) -> str | None:
    named = line["message"].get("id") if line["type"] == "assistant" else None
    return named if isinstance(named, str) and named else None


def _own_message(line: Json) -> list[str]:
    own = message_id(line)
    return [own] if own is not None else []


def _call_ids(line: Json) -> list[str]:
    return _ids_in(line, "tool_use", "id")


def _result_ids(line: Json) -> list[str]:
    return _ids_in(line, "tool_result", "tool_use_id")


def _ids_in(line: Json, kind: str, key: str) -> list[str]:
    blocks = blocks_of(line["message"])
    return [str(block[key]) for block in blocks if block.get("type") == kind and block.get(key)]


def blocks_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    blocks = content if isinstance(content, list) else []
    return [block if isinstance(block, Mapping) else {"type": "text", "text": str(block)} for block in blocks]
