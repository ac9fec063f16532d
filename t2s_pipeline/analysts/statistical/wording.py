"""Small pieces of English shared by the texts of rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from t2s_pipeline.analysts.statistical.changes import PRINTED
from t2s_pipeline.analysts.statistical.errors import GAP

MIN_CONSTANT = 2
CONSTANT_SHARE = 0.8
"""Share of the messages that must agree before a gap is taken to be part of the message."""
_EMPTY_WORDS = frozenset(
    "error errors code exit status failed failure fail exception true false none null the and with has was "
    "message response returned result unknown internal server bad request".split()
)
_NOT_ACTIONS = {PRINTED, "the error message", "the user", "the instructions"}


def leading(values: Iterable[Any], of: int) -> tuple[Any, float]:
    """The most frequent value (ties broken by its text) and its share of `of`; (None, 0) without values."""
    counts = Counter(values)
    if not counts or not of:
        return None, 0.0
    best = min(counts, key=lambda value: (-counts[value], str(value)))
    return best, counts[best] / of


def most_common(values: Iterable[str]) -> str:
    """The most frequent text, ties broken by the text itself; empty without values."""
    best, _ = leading(values, 1)
    return str(best) if best is not None else ""


def output_of(names: Sequence[str]) -> str:
    """`the output of A or B`, `the error message`, or both joined by `or`."""
    actions = [f"`{name}`" for name in names if name not in _NOT_ACTIONS]
    parts = [f"the output of {' or '.join(actions)}"] if actions else []
    return " or ".join(parts + [name for name in names if name in _NOT_ACTIONS])


def sentence_case(text: str) -> str:
    """The text with a capital at its beginning; names in it keep their letters."""
    return text[:1].upper() + text[1:]


def one_of(names: Sequence[str]) -> str:
    """`a` or `b`, each as code."""
    return " or ".join(f"`{name}`" for name in names)


def as_code(text: str) -> str:
    """A code span, whatever the text holds."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def all_of(names: Sequence[str]) -> str:
    """`a`, `b` and `c`, each as code."""
    told = [f"`{name}`" for name in names]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def clause_words(feature: str) -> str:
    """A feature inside a sentence: keywords and calls as code, the words around them plain."""
    if "`" in feature:
        return feature
    if re.fullmatch(r"[\w.]+\(.*\)", feature):
        return f"`{feature}`"
    return re.sub(r"(?<!\w)[A-Z]{2,}(?: (?:[A-Z]{2,}|1|\*))*(?:\([^)]*\))?", lambda m: f"`{m[0]}`", feature)


def use_of(feature: str) -> str:
    """A feature as something to do: ``use `GROUP BY` ``, ``check for `Total` ``."""
    if feature.startswith("a check for "):
        return feature.removeprefix("a ")
    return f"use {clause_words(feature)}"


def with_constants(shown: str, raws: Sequence[str]) -> str:
    """A masked message with those gaps filled in that hold the same text in (nearly) all raw messages.

    What varies is what the agent sent; what stays, such as a type or a column that every run trips over,
    belongs to the message.
    """
    parts = shown.split(GAP)
    last = f"(.*?){re.escape(parts[-1])}" if parts[-1] else "(.*)"
    pattern = re.compile("(.*?)".join(re.escape(part) for part in parts[:-1]) + last)
    found = [match.groups() for raw in raws if (match := pattern.search(" ".join(raw.split()))) is not None]
    if len(parts) < 2 or len(found) < MIN_CONSTANT:
        return shown
    filled = parts[0]
    for index, part in enumerate(parts[1:]):
        value, share = leading((groups[index] for groups in found), len(found))
        constant = share >= CONSTANT_SHARE and 0 < len(value) <= 40
        filled += (value if constant else GAP) + part
    return filled


def is_choice(value: str) -> bool:
    """A value that stands for a kind of value: `credit_card_…` or `economy`, not free text."""
    if value in ("text", "a number", "an object", ""):
        return False
    return re.fullmatch(rf"[A-Za-z][\w\-]{{1,30}}{GAP}?\w*", value) is not None


def is_vague(message: str) -> bool:
    """True for a message that says nothing on its own, such as `failed` or `Error code: … - {'…': '…'}`."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]{3,}", message.replace(GAP, " "))}
    telling = words - _EMPTY_WORDS
    return len(telling) < 2 and not any(len(word) > 9 for word in telling)
