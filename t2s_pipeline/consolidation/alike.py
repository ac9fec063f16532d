"""Which of many statements say the same thing: exactly, without a threshold, in linear time.

A statement is near another when it is the other with a few words left out of its trigger or its action.
Instead of comparing all pairs, each statement is looked up with words left out (deletion neighbourhood).
Whether two statements are near depends on these two alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from t2s_pipeline.consolidation.wording import Wording, omissions, wording_of

Scope = tuple[object, ...]
"""Fields that must be equal before words are compared."""


class Said(NamedTuple):
    """A trigger and an action in comparable form."""

    scope: Scope
    when: Wording
    what: Wording


Phrase = tuple[int, tuple[str, ...], tuple[str, ...]]
"""Number of the scope, words of the trigger, words of the action: equal for statements that say the same
word for word, inflection and filler words aside."""


def said_of(scope: Scope, trigger: str, what: Wording) -> Said:
    """What a signature says, with the fields that must be equal."""
    when = wording_of(trigger)
    return Said((scope, when.bounds, what.bounds), when, what)


def join_alike(said: Sequence[Said]) -> list[list[int]]:
    """Groups of positions that say the same; in a group every pair is equal or near (complete link).

    The closest pairs join first and ties go to the earlier position: give `said` in an order that is a
    function of its content. Each group and the list are sorted.
    """
    members = _by_phrase(said)
    linked = _near(members, said)
    # From here on a phrase is stood for by its first position.
    groups = {same[0]: [same[0]] for same in members.values()}
    for one, other in sorted(linked, key=lambda pair: (linked[pair], pair)):
        left, right = groups[one], groups[other]
        if left is not right and all((min(a, b), max(a, b)) in linked for a in left for b in right):
            left.extend(right)
            groups.update(dict.fromkeys(right, left))
    of_first = {same[0]: same for same in members.values()}
    distinct = {id(group): group for group in groups.values()}.values()
    return sorted(sorted(index for first in group for index in of_first[first]) for group in distinct)


def alike_pairs(said: Sequence[Said]) -> list[tuple[int, int]]:
    """Every pair of positions that are equal or near, sorted."""
    members = _by_phrase(said)
    of_first = {same[0]: same for same in members.values()}
    pairs = [(a, b) for same in members.values() for a in same for b in same if a < b]
    for one, other in _near(members, said):
        pairs.extend((min(a, b), max(a, b)) for a in of_first[one] for b in of_first[other])
    return sorted(pairs)


def _by_phrase(said: Sequence[Said]) -> dict[Phrase, list[int]]:
    """Positions of each phrase, in order."""
    number_of: dict[Scope, int] = {}
    members: dict[Phrase, list[int]] = defaultdict(list)
    for index, one in enumerate(said):
        number = number_of.setdefault(one.scope, len(number_of))
        members[number, one.when.words, one.what.words].append(index)
    return members


def _near(members: Mapping[Phrase, Sequence[int]], said: Sequence[Said]) -> dict[tuple[int, int], int]:
    """Pairs of near phrases, by their first positions, with the number of words left out."""
    in_scope = Counter(number for number, _, _ in members)
    near: dict[tuple[int, int], int] = {}
    for (number, _, _), (index, *_) in members.items():
        if in_scope[number] == 1:
            continue
        for missing, when, what in _shortened(said[index].when, said[index].what):
            other = members.get((number, when, what))
            if other is not None:
                pair = (min(index, other[0]), max(index, other[0]))
                near[pair] = min(missing, near.get(pair, missing))
    return near


def _shortened(when: Wording, what: Wording) -> Iterator[tuple[int, tuple[str, ...], tuple[str, ...]]]:
    """How many words are missing, and what is left, with words left out of trigger, action or both."""
    whens = [when.words, *omissions(when)]
    whats = [what.words, *omissions(what)]
    full = len(when.words) + len(what.words)
    for short_when in whens:
        for short_what in whats:
            missing = full - len(short_when) - len(short_what)
            if missing:
                yield missing, short_when, short_what
