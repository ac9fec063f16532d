"""Findings become clusters: counted, placed, and given words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import orjson

from t2s_pipeline.analysts.lesson import Lesson, Section
from t2s_pipeline.consolidation.admission import Needed, admit
from t2s_pipeline.consolidation.cluster import Cluster, LessonMerger, Placement, RuleText, Support
from t2s_pipeline.consolidation.findings import Finding, join_findings
from t2s_pipeline.consolidation.merge import (
    Effort,
    InductiveMerger,
    typical_words,
    worded_by_model,
    words_for,
)
from t2s_pipeline.consolidation.nodes import Nodes
from t2s_pipeline.consolidation.support import count_support


@dataclass(frozen=True)
class Draft:
    """A finding with what is known of it so far."""

    finding: Finding
    lessons: list[Lesson]
    support: Support
    placement: Placement
    reason: str
    text: RuleText
    silent: bool = False
    """The engine found no advice in it."""


def drafts_of(
    findings: Sequence[Finding],
    lessons: Mapping[str, Lesson],
    needed: Needed,
    merger: LessonMerger,
    nodes: Nodes,
) -> tuple[list[Draft], Effort]:
    """Support, place and words of each finding.

    Words that cost are not asked for candidates: these keep the words of their most typical lesson.
    """
    groups = [[lessons[lesson_id] for lesson_id in finding.lesson_ids] for finding in findings]
    supports = [count_support(group) for group in groups]
    places = [admit(group, support, needed) for group, support in zip(groups, supports, strict=True)]
    costly = isinstance(merger, InductiveMerger)
    asked = [
        index
        for index, (placement, _) in enumerate(places)
        if not (costly and placement == "candidate" and worded_by_model(groups[index]))
    ]
    words, effort = words_for([(groups[index], supports[index]) for index in asked], merger, nodes)
    text_of = dict(zip(asked, words, strict=True))
    drafts = []
    for index, (finding, group, support) in enumerate(zip(findings, groups, supports, strict=True)):
        placement, reason = places[index]
        text = text_of.get(index)
        silent = text is None and index in text_of
        if silent:
            placement, reason = "candidate", "no advice a person could follow yet"
        drafts.append(Draft(finding, group, support, placement, reason, text or typical_words(group), silent))
    return drafts, effort


def join_equal_advice(
    drafts: Sequence[Draft],
    lessons: Mapping[str, Lesson],
    needed: Needed,
    merger: LessonMerger,
    nodes: Nodes,
) -> tuple[list[Draft], Effort]:
    """The drafts with those joined whose words give the same advice for different triggers."""
    by_advice: dict[tuple[str, str, str], list[Draft]] = {}
    for draft in drafts:
        if draft.text.advice and not draft.silent:
            key = (draft.finding.kind, draft.finding.signature.tool, draft.text.advice)
            by_advice.setdefault(key, []).append(draft)
    several = [group for group in by_advice.values() if len(group) > 1]
    if not several:
        return list(drafts), Effort()
    gone = {id(draft) for group in several for draft in group}
    joined = [join_findings([draft.finding for draft in group], lessons) for group in several]
    whole, effort = drafts_of(joined, lessons, needed, merger, nodes)
    return [*(draft for draft in drafts if id(draft) not in gone), *whole], effort


def cluster_of(skill: str, draft: Draft) -> Cluster:
    """The cluster a draft amounts to when nothing contradicts it."""
    return Cluster(
        cluster_id=cluster_id_for(skill, draft.finding),
        skill=skill,
        kind=draft.finding.kind,
        section=_commonest_section(draft.lessons),
        signature=draft.finding.signature,
        lesson_ids=draft.finding.lesson_ids,
        support=draft.support,
        text=draft.text,
        placement=draft.placement,
        reason=draft.reason,
    )


def cluster_id_for(skill: str, finding: Finding) -> str:
    """`c-` and 16 hex digits of skill and signature: stable while lessons come and go."""
    return "c-" + sha256(orjson.dumps([skill, *finding.key])).hexdigest()[:16]


def _commonest_section(lessons: Sequence[Lesson]) -> Section:
    named = [lesson.section for lesson in lessons]
    return min(set(named), key=lambda section: (-named.count(section), section))
