"""Explain the two numbers of a refusal ("total price is 4875, but paid 1625") by the call's own arguments.

A refusal that names what it expected and what it got says that a quantity was left out. The quantity is
looked for among the counts and numbers of the call, and rates among the numbers of the instructions, so
that the lesson can say what to multiply or add.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from t2s_pipeline.analysts.statistical.changes import flatten

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])")
_EXPECTED_FIRST = re.compile(
    r"(?:total|price|expected|required|must be|should be|needs?|amount due)\D{0,30}"
    r"(\d+(?:\.\d+)?)\D+(\d+(?:\.\d+)?)",
    re.IGNORECASE,
)


def explain_numbers(message: str, arguments: Mapping[str, Any], instructions: str) -> list[str]:
    """Phrases that account for the gap between what was expected and what was given; empty if none does.

    Each phrase completes "the expected value is the given one …": `times the number of passengers`,
    `plus 50 for each of nonfree_baggages`. Where several fit, all are given: other refusals tell them apart.
    """
    match = _EXPECTED_FIRST.search(message)
    if match is None:
        return []
    expected, given = float(match[1]), float(match[2])
    if expected <= 0 or given <= 0 or expected == given:
        return []
    counts = dict(_quantities(arguments))
    phrases = [
        f"times the number of `{name}`" for name, n in counts.items() if n >= 2 and expected == given * n
    ]
    gap = expected - given
    if phrases or gap <= 0:
        return phrases
    sentences = [part.lower() for part in re.split(r"[.\n](?!\d)", instructions)]
    for name, n in counts.items():
        rate = gap / n
        if rate >= 2 and any(_speaks_of(sentence, name, rate) for sentence in sentences):
            phrases.append(f"plus {rate:g} for each of `{name}`")
    return phrases


def _speaks_of(sentence: str, name: str, rate: float) -> bool:
    """The sentence states this rate and shares a word stem with the argument's name."""
    if rate not in {float(number) for number in _NUMBER.findall(sentence)}:
        return False
    stems = (word.rstrip("s") for word in re.split(r"\W|_", name))
    return any(len(stem) >= 3 and stem[: max(3, len(stem) - 2)] in sentence for stem in stems)


def _quantities(arguments: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Lengths of lists and whole numbers among the arguments, lists first."""
    for name, value in arguments.items():
        if isinstance(value, list) and value:
            yield name, float(len(value))
    for path, value in flatten(dict(arguments)):
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100:
            yield path, float(value)
