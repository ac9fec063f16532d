"""Which of many statements say the same thing: exactly, without a threshold, in linear time.

A statement is near another when it is the other with a few words left out of its trigger or its action.
Instead of comparing all pairs, each statement is looked up with words left out (deletion neighbourhood).
Whether two statements are near depends on these two alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from t2s_pipeline.consolidation.wording import Wording, omissions, wording_of

Scope = tuple[object, ...]
"""Fields that must be equal before words are compared."""


class Said(NamedTuple):
    """A trigger and an action in comparable form."""

    scope: Scope
    when: Wording
    what: Wording


Words = tuple[str, ...]

About = tuple[int, Words]
"""Number of the scope, words of the action."""

Members = dict[About, dict[Words, list[int]]]
"""Positions by what they are about and the words of their trigger; those together say the same word for
word, inflection and filler words aside."""


def said_of(scope: Scope, trigger: str, what: Wording) -> Said:
    """What a signature says, with the fields that must be equal."""
    when = wording_of(trigger)
    return Said((scope, when.bounds, what.bounds), when, what)


def join_alike(said: Sequence[Said]) -> list[list[int]]:
    """Groups of positions that say the same; in a group every pair is equal or near (complete link).

    The closest pairs join first and ties go to the earlier position: give `said` in an order that is a
    function of its content. Each group and the list are sorted.
    """
    members = _members(said)
    linked = _near(members, said)
    # From here on a phrase is stood for by its first position.
    of_first = {same[0]: same for by_trigger in members.values() for same in by_trigger.values()}
    groups = {first: [first] for pair in linked for first in pair}
    for one, other in sorted(linked, key=lambda pair: (linked[pair], pair)):
        left, right = groups[one], groups[other]
        if left is not right and all((min(a, b), max(a, b)) in linked for a in left for b in right):
            left.extend(right)
            groups.update(dict.fromkeys(right, left))
    distinct = {id(group): group for group in groups.values()}.values()
    joined = [sorted(index for first in group for index in of_first[first]) for group in distinct]
    return sorted([*joined, *(same for first, same in of_first.items() if first not in groups)])


def alike_pairs(said: Sequence[Said]) -> list[tuple[int, int]]:
    """Every pair of positions that are equal or near, sorted."""
    members = _members(said)
    of_first = {same[0]: same for by_trigger in members.values() for same in by_trigger.values()}
    pairs = [pair for same in of_first.values() for pair in combinations(same, 2)]
    for one, other in _near(members, said):
        pairs.extend((min(a, b), max(a, b)) for a in of_first[one] for b in of_first[other])
    return sorted(pairs)


def _members(said: Sequence[Said]) -> Members:
    number_of: dict[Scope, int] = {}
    members: Members = defaultdict(lambda: defaultdict(list))
    for index, one in enumerate(said):
        number = number_of.setdefault(one.scope, len(number_of))
        members[number, one.what.words][one.when.words].append(index)
    return members


def _near(members: Members, said: Sequence[Said]) -> dict[tuple[int, int], int]:
    """Pairs of near phrases, by their first positions, with the number of words left out."""
    near: dict[tuple[int, int], int] = {}
    for (number, _), by_trigger in members.items():
        what = said[next(iter(by_trigger.values()))[0]].what
        for action in (what.words, *omissions(what)):
            others = members.get((number, action))
            if others is None or (others is by_trigger and len(others) == 1):
                continue  # nobody to be near to: no need to try the triggers
            for same in by_trigger.values():
                when = said[same[0]].when
                full = len(when.words) + len(what.words) - len(action)
                for trigger in _versions(when):
                    other = others.get(trigger)
                    if other is not None and other is not same:
                        pair = (min(same[0], other[0]), max(same[0], other[0]))
                        missing = full - len(trigger)
                        near[pair] = min(missing, near.get(pair, missing))
    return near


def _versions(wording: Wording) -> Iterator[Words]:
    """The words as they are, and with a few left out."""
    yield wording.words
    yield from omissions(wording)
