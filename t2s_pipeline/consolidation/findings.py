"""Lessons become findings: groups that say the same thing by their structured fields.

The grouping is a function of the set of lessons. Lessons with equal signatures are one finding; findings
near to each other are joined when every pair inside the joined group is near, so a chain of small
differences never joins two things that differ. A new lesson can only change groups it is near to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from t2s_pipeline.analysts.lesson import Lesson, LessonKind, Signature
from t2s_pipeline.consolidation.alike import Said, compare, said_of
from t2s_pipeline.consolidation.wording import advice_of

SignatureKey = tuple[LessonKind, str, str, str, str, bool]
"""Kind, pattern, tool, trigger, action, negated: equal for lessons that say exactly the same."""

FREE_TRIGGERS = frozenset(("refusal",))
"""Patterns of the statistical engine whose trigger is a message of the environment, which may come in
variants. The triggers of its other patterns are made by code: near is not the same."""


class Exact(NamedTuple):
    """Lessons with equal signatures."""

    key: SignatureKey
    lesson_ids: tuple[str, ...]
    """Sorted."""
    coded: bool
    """Code made the signature of one of them, and not a model."""


class Finding(NamedTuple):
    """Lessons that say the same thing."""

    key: SignatureKey
    """Of the commonest signature among its lessons; of several, the first in alphabetical order."""
    lesson_ids: tuple[str, ...]
    """Sorted."""
    members: tuple[Exact, ...]

    @property
    def kind(self) -> LessonKind:
        return self.key[0]

    @property
    def tool(self) -> str:
        return self.key[2]

    @property
    def trigger(self) -> str:
        return self.key[3]

    @property
    def action(self) -> str:
        return self.key[4]

    @property
    def negated(self) -> bool:
        return self.key[5]

    @property
    def signature(self) -> Signature:
        _, pattern, tool, trigger, action, negated = self.key
        return Signature(pattern=pattern, tool=tool, trigger=trigger, action=action, negated=negated)


@dataclass(frozen=True)
class Findings:
    """What lessons say, each thing once."""

    found: list[Finding]
    """Sorted by signature."""
    across: list[tuple[str, str]]
    """Two findings that say nearly the same but for kind or direction, each by the first lesson of one of
    its signatures."""


def exact_of(said: Iterable[tuple[str, SignatureKey, bool]]) -> list[Exact]:
    """Lessons, given as (id, signature, whether code made it), those with equal signatures together."""
    exact: dict[SignatureKey, list[str]] = defaultdict(list)
    by_code: set[SignatureKey] = set()
    for lesson_id, key, coded in said:
        exact[key].append(lesson_id)
        if coded:
            by_code.add(key)
    # The store may have a lesson in two batches.
    return [Exact(key, tuple(sorted(set(ids))), key in by_code) for key, ids in exact.items()]


def said_by(lesson_id: str, lesson: Lesson) -> tuple[str, SignatureKey, bool]:
    """What `exact_of` has to know of a lesson."""
    said = lesson.signature
    key = (lesson.kind, said.pattern, said.tool, said.trigger, said.action, said.negated)
    return lesson_id, key, lesson.engine == "statistical"


def findings_of(exact: Iterable[Exact]) -> Findings:
    """The findings of lessons, each signature given once."""
    ordered = sorted(exact, key=lambda one: one.key)
    alike = compare([_said_by(one.key, one.coded) for one in ordered])
    found = [_joined([ordered[position] for position in group]) for group in alike.groups]
    across = {(ordered[one].lesson_ids[0], ordered[other].lesson_ids[0]) for one, other in alike.across}
    return Findings(sorted(found, key=lambda finding: finding.key), sorted(across))


def join_findings(findings: Sequence[Finding]) -> Finding:
    """Several findings as one."""
    if len(findings) == 1:
        return findings[0]
    members = chain.from_iterable(finding.members for finding in findings)
    return _joined(sorted(members, key=lambda one: one.key))


def _said_by(key: SignatureKey, coded: bool) -> Said:
    """A signature in comparable form; kind and direction are its side.

    What code made is compared exactly and within its pattern. What a model worded is compared by its
    words, and its pattern is no more than a label.
    """
    kind, pattern, tool, trigger, action, negated = key
    what, follow = advice_of(action, negated)
    if not coded:
        return said_of((tool,), (kind, follow), trigger, what)
    exact = () if pattern in FREE_TRIGGERS else (trigger, what)
    return said_of((tool, pattern, *exact), (kind, follow), trigger, what)


def _joined(members: Sequence[Exact]) -> Finding:
    if len(members) == 1:
        return Finding(members[0].key, members[0].lesson_ids, tuple(members))
    commonest = min(members, key=lambda one: (-len(one.lesson_ids), one.key))
    lesson_ids = tuple(sorted(chain.from_iterable(one.lesson_ids for one in members)))
    return Finding(commonest.key, lesson_ids, tuple(members))
