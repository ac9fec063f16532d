"""Which of many statements say the same thing: exactly, without a threshold, in linear time.

A statement is near another when it is the other with a few words left out of its trigger or its action.
Instead of comparing all pairs, each statement is looked up with words left out (deletion neighbourhood).
Whether two statements are near depends on these two alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import NamedTuple

from t2s_pipeline.consolidation.wording import Wording, omissions, wording_of

Scope = tuple[object, ...]
"""Fields that must be equal before words are compared."""
Side = tuple[object, ...]
"""Fields that set two statements with the same words against each other."""


class Said(NamedTuple):
    """A trigger and an action in comparable form."""

    scope: Scope
    side: Side
    when: Wording
    what: Wording


@dataclass(frozen=True)
class Alike:
    """Statements compared, by position."""

    groups: list[list[int]]
    """Every position once. A group is of one side, and every pair in it is equal or near (complete link)."""
    across: list[tuple[int, int]]
    """Pairs of different sides that are equal or near. Statements with equal words stand as their first."""


Words = tuple[str, ...]
Sides = dict[Side, list[int]]
"""Positions by side of statements with equal words; inflection and filler words do not count."""
Phrases = dict[tuple[int, Words], dict[Words, Sides]]
"""By number of the scope and words of the action, then by words of the trigger."""


def said_of(scope: Scope, side: Side, trigger: str, what: Wording) -> Said:
    """What a signature says, with the fields that must be equal."""
    when = wording_of(trigger)
    return Said((scope, when.bounds, what.bounds), side, when, what)


def compare(said: Sequence[Said]) -> Alike:
    """Which statements say the same, and which would but for their side.

    The closest pairs join first and ties go to the earlier position: give `said` in an order that is a
    function of its content. Groups are sorted.
    """
    phrases = _phrases(said)
    linked: dict[tuple[int, int], int] = {}
    across: set[tuple[int, int]] = set()
    for missing, ours, theirs in _near(phrases, said):
        for (side, one), (other_side, other) in product(ours.items(), theirs.items()):
            pair = (min(one[0], other[0]), max(one[0], other[0]))
            if side == other_side:
                linked[pair] = min(missing, linked.get(pair, missing))
            else:
                across.add(pair)
    same_words = [sides for by_trigger in phrases.values() for sides in by_trigger.values()]
    for sides in same_words:
        if len(sides) > 1:
            across.update(combinations(sorted(positions[0] for positions in sides.values()), 2))
    equal = {positions[0]: positions for sides in same_words for positions in sides.values()}
    return Alike(groups=_joined(equal, linked), across=sorted(across))


def _phrases(said: Sequence[Said]) -> Phrases:
    number_of: dict[Scope, int] = {}
    phrases: Phrases = defaultdict(dict)
    for position, one in enumerate(said):
        number = number_of.setdefault(one.scope, len(number_of))
        sides = phrases[number, one.what.words].setdefault(one.when.words, {})
        sides.setdefault(one.side, []).append(position)
    return phrases


def _near(phrases: Phrases, said: Sequence[Said]) -> Iterator[tuple[int, Sides, Sides]]:
    """Near phrases with the number of words left out."""
    for (number, action), by_trigger in phrases.items():
        what = _first(by_trigger, said).what
        for shorter_action in (action, *omissions(what)):
            others = phrases.get((number, shorter_action))
            if others is None or (others is by_trigger and len(others) == 1):
                continue  # nobody to be near to: no need to try the triggers
            for trigger, sides in by_trigger.items():
                when = said[next(iter(sides.values()))[0]].when
                for shorter in (trigger, *omissions(when)):
                    other = others.get(shorter)
                    if other is not None and other is not sides:
                        missing = len(trigger) - len(shorter) + len(action) - len(shorter_action)
                        yield missing, sides, other


def _first(by_trigger: dict[Words, Sides], said: Sequence[Said]) -> Said:
    sides = next(iter(by_trigger.values()))
    return said[next(iter(sides.values()))[0]]


def _joined(equal: dict[int, list[int]], linked: dict[tuple[int, int], int]) -> list[list[int]]:
    """Complete link over phrases, each standing as its first position in `equal`; closest pairs first."""
    groups = {first: [first] for pair in linked for first in pair}
    for one, other in sorted(linked, key=lambda pair: (linked[pair], pair)):
        left, right = groups[one], groups[other]
        if left is not right and all((min(a, b), max(a, b)) in linked for a in left for b in right):
            left.extend(right)
            groups.update(dict.fromkeys(right, left))
    distinct = {id(group): group for group in groups.values()}.values()
    joined = [sorted(position for first in group for position in equal[first]) for group in distinct]
    return sorted([*joined, *(same for first, same in equal.items() if first not in groups)])
