"""The piece of code that put a failed call right: the line or clause as it was, and as it then worked.

A call that works in the end often differs from the failed one in more than what was wrong. So a piece
counts only when it changed at once, in the first attempt that no longer met the same error; it is told as
it stands in the call that worked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rapidfuzz import fuzz

from t2s_pipeline.analysts.statistical.actions import sql
from t2s_pipeline.analysts.statistical.runs import Call

MAX_REWRITES = 3
"""More pieces than this and the code was written anew: none of them is the fix."""
MAX_CODE = 8000
MAX_PIECES = 200
MAX_SHOWN = 80
"""Characters of a piece told in a rule; a longer one is cut down to what changed and its surroundings."""
SURROUNDINGS = 24
SAME_PIECE = 45.0
OTHER_PIECE = 70.0
"""Similarity (0..100) from which one piece is the other, rewritten; the second where both are clauses of SQL
that begin with different keywords."""

_SQL_CLAUSE = re.compile(
    r"\s+(?=(?:SELECT|FROM|WHERE|AND|OR|ON|HAVING|GROUP BY|ORDER BY|LIMIT|UNION|WITH|SET|VALUES"
    r"|(?:(?:LEFT|RIGHT|FULL|INNER|CROSS|NATURAL) )?(?:OUTER )?JOIN)\b)",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\bBETWEEN (?:(?!\bAND\b).)*$", re.IGNORECASE)
"""A range whose upper end is still to come."""
_COMMAND = re.compile(r"\n|\s(?:&&|\|\||;|\|)\s|;\s")
_CALLED = re.compile(r"\.?\b[A-Za-z_]\w*(?=\()")
_KEYWORD = re.compile(r"\b(?:GROUP BY|ORDER BY|[A-Z]{2,})(?![\w.])|::", re.IGNORECASE)
_STARTS_PROGRAMS = re.compile(
    r"\b(?:os\.system|os\.popen|subprocess|pty|eval|exec|__import__|curl|wget|bash|sh -c|rm -)"
)
"""Code that could run anything is not told, whatever it put right."""
_IMPORT = re.compile(r"(?:import|from) ")


@dataclass(frozen=True)
class Rewrite:
    """One piece of code before and after."""

    before: str
    """Empty where the piece was only added."""
    after: str
    added: tuple[str, ...]
    """Calls, in SQL keywords, that only the new piece has: equal for the same kind of fix."""

    def as_fact(self) -> dict[str, Any]:
        """The rewrite as a JSON object for `Lesson.facts`."""
        return asdict(self)


def rewrites_between(failed: Call, left: Call, worked: Call) -> list[Rewrite]:
    """What was rewritten to get past an error: `left` is the first attempt that no longer met it, `worked`
    the one that got through. Empty for calls without code, and when the code was written anew.
    """
    codes = [call.action.code for call in (failed, left, worked)]
    if any(code is None or len(code) > MAX_CODE for code in codes):
        return []
    before, at_once, after = (_pieces(code or "", failed.action.kind) for code in codes)
    if max(len(before), len(at_once), len(after)) > MAX_PIECES:
        return []
    first = list(_differences(before, at_once))
    touched = {old for old, _ in first}
    added_at_once = {new for old, new in first if not old}
    found = [
        _rewrite(old, new, failed.action.kind)
        for old, new in _differences(before, after)
        if new and old in touched and (old or (new in added_at_once and not _IMPORT.match(new)))
    ]
    told = [rewrite for rewrite in dict.fromkeys(found) if rewrite is not None]
    return told if len(found) <= MAX_REWRITES else []


def _pieces(code: str, kind: str) -> list[str]:
    """Lines of a program, clauses of a statement, commands of a command line; white space collapsed."""
    if kind == "sql":
        pieces: list[str] = []
        for piece in _SQL_CLAUSE.split(" ".join(code.split())):
            if pieces and piece[:4].upper() == "AND " and _RANGE.search(pieces[-1]):
                pieces[-1] = f"{pieces[-1]} {piece}"
            else:
                pieces.append(piece)
        return [_balanced(piece) for piece in pieces]
    parts = _COMMAND.split(code) if kind == "shell" else code.splitlines()
    lines = (" ".join(part.split()) for part in parts)
    return [line for line in lines if line and not line.startswith("#")]


def _balanced(clause: str) -> str:
    """Without the brackets that close what an earlier clause opened."""
    while clause.endswith(")") and clause.count(")") > clause.count("("):
        clause = clause[:-1].rstrip()
    return clause


def _differences(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a piece and what became of it; an empty text where it came new or was dropped."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        left = list(after[j1:j2])
        for old in before[i1:i2]:
            new = max(left, key=lambda piece: fuzz.ratio(old, piece), default="")
            if new and fuzz.ratio(old, new) >= (OTHER_PIECE if _other_clause(old, new) else SAME_PIECE):
                left.remove(new)
                yield old, new
            else:
                yield old, ""
        if left:
            yield "", _joined(left)


def _other_clause(old: str, new: str) -> bool:
    first, second = (_SQL_CLAUSE.match(f" {piece}") is not None for piece in (old, new))
    return (first or second) and old.partition(" ")[0].lower() != new.partition(" ")[0].lower()


def _joined(lines: Sequence[str]) -> str:
    """Neighbouring lines as one: `if done: break`."""
    text = lines[0]
    for line in lines[1:]:
        text += f" {line}" if text.endswith((":", ",", "(", "[", "{")) or line[:1] in ")]}" else f" … {line}"
    return text


def _rewrite(old: str, new: str, kind: str) -> Rewrite | None:
    """The pair cut down to what changed; None where even that is too long to tell."""
    added = tuple(sorted(_words(new, kind) - _words(old, kind)))
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    whole = max(len(old), len(new)) <= MAX_SHOWN
    before, after = (old, new) if whole else (_cut(old, start, end), _cut(new, start, end))
    if max(len(before), len(after)) > MAX_SHOWN + 2 or before == after or _STARTS_PROGRAMS.search(new):
        return None
    return Rewrite(before, after, added)


def _words(piece: str, kind: str) -> set[str]:
    if kind != "sql":
        return set(_CALLED.findall(piece))
    keywords = {"CAST" if word == "::" else word.upper() for word in _KEYWORD.findall(piece)}
    return keywords & sql.KEYWORDS


def _cut(piece: str, start: int, end: int) -> str:
    """`piece` from a little before what changed to a little after."""
    first, last = max(0, start - SURROUNDINGS), min(len(piece), len(piece) - end + SURROUNDINGS)
    if first > 0:
        first = piece.find(" ", first, start) + 1 or start
    if last < len(piece):
        last = piece.rfind(" ", len(piece) - end, last)
        last = last if last > 0 else len(piece) - end
    return ("… " if first > 0 else "") + piece[first:last].strip() + (" …" if last < len(piece) else "")
