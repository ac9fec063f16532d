"""Lessons become findings: groups that say the same thing by their structured fields.

The grouping is a function of the set of lessons. Lessons with equal signatures are one finding; findings
near to each other are joined when every pair inside the joined group is near, so a chain of small
differences never joins two things that differ. A new lesson can only change groups it is near to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from t2s_pipeline.analysts.lesson import Lesson, LessonKind, Signature
from t2s_pipeline.consolidation.alike import Said, join_alike, said_of
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


def findings_of(lessons: Mapping[str, Lesson]) -> list[Finding]:
    """The findings of lessons given by id, sorted by signature."""
    exact: dict[SignatureKey, list[str]] = defaultdict(list)
    for lesson_id in sorted(lessons):
        lesson = lessons[lesson_id]
        exact[signature_key(lesson.kind, lesson.signature)].append(lesson_id)
    keys = sorted(exact)
    said = [said_by(key, [lessons[i] for i in exact[key]], directed=True) for key in keys]
    findings = [_joined({keys[i]: exact[keys[i]] for i in group}, lessons) for group in join_alike(said)]
    return sorted(findings, key=lambda finding: finding.key)


def join_findings(findings: Iterable[Finding], lessons: Mapping[str, Lesson]) -> Finding:
    """Several findings as one."""
    members: dict[SignatureKey, list[str]] = defaultdict(list)
    for finding in findings:
        for lesson_id in finding.lesson_ids:
            lesson = lessons[lesson_id]
            members[signature_key(lesson.kind, lesson.signature)].append(lesson_id)
    return _joined(members, lessons)


def said_by(key: SignatureKey, lessons: Iterable[Lesson], *, directed: bool) -> Said:
    """A signature in comparable form; `directed` keeps apart kinds and doing from not doing.

    What code made is compared exactly and within its pattern. What a model worded is compared by its
    words, and its pattern is no more than a label.
    """
    kind, pattern, tool, trigger, action, negated = key
    coded = "statistical" in {lesson.engine for lesson in lessons}
    what, follow = advice_of(action, negated)
    scope = (
        (kind, follow) if directed else None,
        tool,
        pattern if coded else None,
        (trigger, what) if coded and pattern not in FREE_TRIGGERS else None,
    )
    return said_of(scope, trigger, what)


def _joined(members: Mapping[SignatureKey, Sequence[str]], lessons: Mapping[str, Lesson]) -> Finding:
    commonest = min(members, key=lambda key: (-len(members[key]), key))
    return Finding(
        key=commonest,
        kind=commonest[0],
        signature=lessons[members[commonest][0]].signature,
        lesson_ids=tuple(sorted(chain.from_iterable(members.values()))),
    )
