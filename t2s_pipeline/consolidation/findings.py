"""Lessons become findings: groups that say the same thing by their structured fields.

The grouping is a function of the set of lessons. Lessons with equal signatures are one finding; findings
near to each other are joined when every pair inside the joined group is near, so a chain of small
differences never joins two things that differ. A new lesson can only change groups it is near to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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


class Finding(NamedTuple):
    """Lessons that say the same thing."""

    key: SignatureKey
    """Of the commonest signature among its lessons; of several, the first in alphabetical order."""
    kind: LessonKind
    signature: Signature
    lesson_ids: tuple[str, ...]
    """Sorted."""


def signature_key(kind: LessonKind, said: Signature) -> SignatureKey:
    """The fields of a finding that code compares, as one sortable value."""
    return (kind, said.pattern, said.tool, said.trigger, said.action, said.negated)


@dataclass(frozen=True)
class Findings:
    """What lessons say, each thing once."""

    found: list[Finding]
    """Sorted by signature."""
    across: list[tuple[str, str]]
    """Two findings that say nearly the same but for kind or direction; each by a lesson in it."""


def findings_of(lessons: Mapping[str, Lesson]) -> Findings:
    """The findings of lessons given by id."""
    exact: dict[SignatureKey, list[str]] = defaultdict(list)
    made_by_code: set[SignatureKey] = set()
    for lesson_id in sorted(lessons):
        lesson = lessons[lesson_id]
        key = signature_key(lesson.kind, lesson.signature)
        exact[key].append(lesson_id)
        if lesson.engine == "statistical":
            made_by_code.add(key)
    keys = sorted(exact)
    alike = compare([_said_by(key, key in made_by_code) for key in keys])
    found = [_joined({keys[i]: exact[keys[i]] for i in group}, lessons) for group in alike.groups]
    across = {(exact[keys[one]][0], exact[keys[other]][0]) for one, other in alike.across}
    return Findings(sorted(found, key=lambda finding: finding.key), sorted(across))


def join_findings(findings: Iterable[Finding], lessons: Mapping[str, Lesson]) -> Finding:
    """Several findings as one."""
    members: dict[SignatureKey, list[str]] = defaultdict(list)
    for finding in findings:
        for lesson_id in finding.lesson_ids:
            lesson = lessons[lesson_id]
            members[signature_key(lesson.kind, lesson.signature)].append(lesson_id)
    return _joined(members, lessons)


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


def _joined(members: Mapping[SignatureKey, Sequence[str]], lessons: Mapping[str, Lesson]) -> Finding:
    commonest = min(members, key=lambda key: (-len(members[key]), key))
    return Finding(
        key=commonest,
        kind=commonest[0],
        signature=lessons[members[commonest][0]].signature,
        lesson_ids=tuple(sorted(chain.from_iterable(members.values()))),
    )
