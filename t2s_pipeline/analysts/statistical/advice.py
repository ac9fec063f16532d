"""What a rule about refused calls advises, and how the counted changes of its lessons are asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Facts = Mapping[str, Any]
AnyChange = Mapping[str, Any]

CLEAR_SHARE = 0.4
"""Share of the put-right runs that must agree on a fix before the rule states it as the fix."""
MOST = 0.6
INSTRUCTIVE = re.compile(
    r"\b(?:must|should|needs?|required|requires|expected|instead|at least|at most|no more than|try"
    r"|please|did you mean|might need)\b",
    re.IGNORECASE,
)
"""Words of a message that says itself what to do."""


class Advice(NamedTuple):
    """What to do, and a key that is equal for equal advice (empty where the words are too general)."""

    key: str
    text: str
    """An imperative without its full stop."""
    detail: str = ""
    conditional: bool = False
    """The advice holds once the tool has refused, not before: a balance may or may not be enough."""


def example_of(fixed: Sequence[Facts], test: Callable[[AnyChange], bool]) -> str:
    """The most frequent pair of what was refused and what worked, among the changes that pass the test."""
    pairs = Counter(
        (c["example"][0], c["example"][1])
        for c in changes_of(fixed)
        if test(c) and c.get("example") and _tellable(*c["example"])
    )
    if not pairs:
        return ""
    before, after = min(pairs, key=lambda pair: (-pairs[pair], pair))
    return f"For example `{before}` was refused and `{after}` worked."


def _tellable(before: str, after: str) -> bool:
    """Short, and either both have letters or it is their form that differs: `63 EUR` and `63`."""
    if not all(0 < len(text) <= 40 and not re.search(r"[\n`]", text) for text in (before, after)):
        return False
    lettered = [re.search(r"[A-Za-z]", text) is not None for text in (before, after)]
    marks = [set(re.sub(r"\w", "", text)) for text in (before, after)]
    worded = all(re.search(r"\w", text) for text in (before, after))
    return all(lettered) or (worded and (any(lettered) or marks[0] != marks[1]))


def changes_of(fixed: Iterable[Facts], **wanted: str) -> list[AnyChange]:
    """All changes of the runs whose fields have the wanted values."""
    return [
        change
        for fact in fixed
        for change in fact["changes"]
        if all(change[key] == value for key, value in wanted.items())
    ]


def share_of(fixed: Sequence[Facts], test: Callable[[AnyChange], bool]) -> float:
    """Share of the runs that made a change which passes the test; 0 without runs."""
    if not fixed:
        return 0.0
    return sum(1 for fact in fixed if any(test(change) for change in fact["changes"])) / len(fixed)
