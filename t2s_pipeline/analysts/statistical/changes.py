"""What changed between a call that was refused and the one that got through, and where it came from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from t2s_pipeline.analysts.statistical.runs import Call, Run

How = Literal["replaced", "added", "removed", "qualified", "clause added", "clause removed"]

MAX_CHANGES = 8
"""More differences than this and the second call is another call, not a correction of the first."""
MAX_SHAPE = 40
PRINTED = "what earlier code printed"
CITED = 30
"""Characters of a quoted piece of a message that are looked for in the code: messages cut what they cite."""

_TOKEN = re.compile(
    r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*|\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|\d+(?:\.\d+)?|\S"
)
_QUOTED = re.compile(r"(['\"`])([^'\"`]+)(?:\1|$)")
_NAME = re.compile(r"^[\"'`]?[A-Za-z_][\w $.\-]*[\"'`]?$")


@dataclass(frozen=True)
class Change:
    """One difference, as shapes that can be counted over runs."""

    where: str
    """Argument path such as `payment_id`, or for code: `a name`, `the program`, `clause`,
    `white space`."""
    how: How
    before: str
    after: str
    source: str | None = None
    """What had shown the new value: an action, `PRINTED`, `the error message`, `the user`, …"""
    example: tuple[str, str] = ("", "")
    """The values themselves, before and after."""
    named: bool = False
    """The refusal named the value that was replaced."""

    def as_fact(self) -> dict[str, Any]:
        """The change as a JSON object for `Lesson.facts`."""
        return {key: value for key, value in vars(self).items() if value}


def changes_between(failed: Call, worked: Call, run: Run) -> tuple[Change, ...]:
    """Differences that may have made the second call work; empty when they are the same call.

    More than `MAX_CHANGES` differences are cut to those in clauses and names, the telling ones.
    """
    if failed.action.code is not None and worked.action.code is not None:
        found = list(_code_changes(failed, worked, run))
    else:
        found = list(_argument_changes(failed, worked, run))
    return tuple(found[:MAX_CHANGES])


def shape(value: object) -> str:
    """A value with its digits masked, short: `certificate_…`, `a number`, `2 items`."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list):
        return f"{len(value)} item{'s' if len(value) != 1 else ''}"
    if isinstance(value, dict):
        return "an object"
    text = str(value).strip()
    masked = re.sub(r"\d[\d,.:\-/]*", "…", text)
    return masked if len(masked) <= MAX_SHAPE and "\n" not in masked else "text"


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a JSON value with their paths; list positions are dropped: `payment_methods.amount`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        if not value:
            yield path, value
        for inner in value:
            yield from flatten(inner, path)
    else:
        yield path, value


def _argument_changes(failed: Call, worked: Call, run: Run) -> Iterator[Change]:
    before, after = _by_path(failed.arguments), _by_path(worked.arguments)
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if old is None and new is not None:
            yield Change(path, "added", "", shape(new[0]), _source(new[0], failed, worked, run))
        elif new is None and old is not None:
            yield Change(path, "removed", shape(old[0]), "")
        elif old is not None and new is not None:
            gone, come = _differing(old, new)
            example = (str(gone)[:80], str(come)[:80])
            source = _source(come, failed, worked, run)
            yield Change(path, "replaced", shape(gone), shape(come), source, example)


def _by_path(arguments: Mapping[str, Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for path, value in flatten(dict(arguments)):
        grouped.setdefault(path, []).append(value)
    return grouped


def _differing(old: Sequence[Any], new: Sequence[Any]) -> tuple[Any, Any]:
    for a, b in zip(old, new, strict=False):
        if a != b:
            return a, b
    return len(old), len(new)


def _code_changes(failed: Call, worked: Call, run: Run) -> Iterator[Change]:
    if failed.action.kind == "shell" and failed.action.name != worked.action.name:
        names = failed.action.name, worked.action.name
        yield Change("the program", "replaced", *names, example=names)
    before, after = failed.action.code or "", worked.action.code or ""
    if before.split() == after.split():
        yield Change("white space", "replaced", "", "")
    yield from _name_changes(before, after, failed, worked, run)
    old, new = set(failed.action.features), set(worked.action.features)
    if len(old ^ new) <= MAX_CHANGES:
        for feature in sorted(new - old):
            yield Change("clause", "clause added", "", feature)
        for feature in sorted(old - new):
            yield Change("clause", "clause removed", feature, "")


def _name_changes(before: str, after: str, failed: Call, worked: Call, run: Run) -> Iterator[Change]:
    old, new = _TOKEN.findall(before[:4000]), _TOKEN.findall(after[:4000])
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    seen: set[tuple[str, str]] = set()
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "replace" or i2 - i1 != j2 - j1 or i2 - i1 > 3:
            continue
        for gone, come in zip(old[i1:i2], new[j1:j2], strict=True):
            if gone == come or (gone, come) in seen or not (_NAME.match(gone) and _NAME.match(come)):
                continue
            seen.add((gone, come))
            named = _names(failed, gone)
            if come.lower().endswith("." + gone.lower()):
                yield Change("a name", "qualified", "", "", None, (gone, come), named)
            else:
                source = _source(_bare(come), failed, worked, run)
                yield Change("a name", "replaced", "", "", source, (gone, come), named)


def _names(failed: Call, name: str) -> bool:
    """The message names it by itself, not merely within a longer piece of the code that it cites."""
    if failed.error is None:
        return False
    code = " ".join((failed.action.code or "").split())
    said = _QUOTED.sub(lambda m: "" if " " in m[2] and m[2][:CITED] in code else m[0], failed.error.raw)
    return _bare(name).lower() in said.lower()


def _bare(name: str) -> str:
    return name.strip("\"'`").rsplit(".", 1)[-1]


def _source(value: Any, failed: Call, worked: Call, run: Run) -> str | None:
    """Where the run had seen a value before it used it; None when nowhere or when too short to tell."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return None
    text = str(value)
    if len(text) < 3 or not re.search(r"[A-Za-z]{2}|\d{3}", text):
        return None
    seen = re.compile(rf"(?<![\w]){re.escape(text)}(?![\w])", re.IGNORECASE)
    for call in reversed(run.calls[failed.position + 1 : worked.position]):
        if call.error is None and seen.search(call.result):
            return _origin(call)
    if failed.error is not None and seen.search(failed.result[:4000]):
        return "the error message"
    for call in reversed(run.calls[: failed.position]):
        if call.error is None and seen.search(call.result):
            return _origin(call)
    if any(step_id < worked.step_id and seen.search(said) for step_id, said in run.user_steps):
        return "the user"
    if seen.search(run.instructions):
        return "the instructions"
    return None


def _origin(call: Call) -> str:
    """What had shown a value: the action, except that a program shows what it prints, whatever it calls."""
    return PRINTED if call.action.kind == "python" else call.action.name
