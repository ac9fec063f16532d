"""Findings become clusters: counted, placed, and given words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import orjson

from t2s_pipeline.analysts.lesson import Lesson, Section
from t2s_pipeline.consolidation.admission import Needed, admit
from t2s_pipeline.consolidation.cluster import Cluster, LessonMerger, Placement, Support
from t2s_pipeline.consolidation.findings import Finding, join_findings
from t2s_pipeline.consolidation.kept import KeptDrafts
from t2s_pipeline.consolidation.merge import (
    Answer,
    Effort,
    InductiveMerger,
    typical_words,
    worded_by_model,
    words_for,
)
from t2s_pipeline.consolidation.nodes import Nodes
from t2s_pipeline.consolidation.permission import needs_permission
from t2s_pipeline.consolidation.support import count_support


class Draft(NamedTuple):
    """The cluster a finding amounts to when nothing contradicts it. Of most clusters only these fields are
    looked at, so that their JSON need not be read.
    """

    finding: Finding
    cluster_id: str
    section: Section
    placement: Placement
    advice: str
    silent: bool
    """The engine found no advice in it."""
    gated: bool
    """A gate has to look at it: it is no candidate, and its words name what can be run."""
    node: str
    """Key of the answer its words are; empty when they cost nothing."""
    body: str
    """The cluster as JSON."""

    @property
    def cluster(self) -> Cluster:
        return Cluster.model_validate_json(self.body)

    def decided(self, cluster: Cluster) -> Draft:
        """The same with what has become of its cluster."""
        return self._replace(placement=cluster.placement, body=cluster.model_dump_json())


@dataclass(frozen=True)
class Drafting:
    """What makes drafts of findings: always the same ones of the same lessons."""

    skill: str
    lessons: Mapping[str, Lesson]
    needed: Needed
    merger: LessonMerger
    nodes: Nodes
    kept: KeptDrafts

    def drafts_of(self, findings: Sequence[Finding]) -> tuple[list[Draft], Effort]:
        """Support, place and words of each finding, in the same order; only lessons of findings that
        changed are looked at.

        Words that cost are not asked for candidates: these keep the words of their most typical lesson.
        """
        known = [self._known(finding) for finding in findings]
        changed = [finding for finding, draft in zip(findings, known, strict=True) if draft is None]
        made, effort = self._made(changed)
        fresh = iter(made)
        again = Effort(kept=len(findings) - len(changed))
        return [draft or next(fresh) for draft in known], Effort.over((again, effort))

    def join_equal_advice(self, drafts: Sequence[Draft]) -> tuple[list[Draft], Effort]:
        """The drafts with those joined whose words give the same advice for different triggers."""
        by_advice: dict[tuple[str, str, str], list[Draft]] = {}
        for draft in drafts:
            if draft.advice and not draft.silent:
                key = (draft.finding.kind, draft.finding.tool, draft.advice)
                by_advice.setdefault(key, []).append(draft)
        several = [group for group in by_advice.values() if len(group) > 1]
        if not several:
            return list(drafts), Effort()
        gone = {draft.cluster_id for group in several for draft in group}
        joined = [join_findings([draft.finding for draft in group]) for group in several]
        whole, effort = self.drafts_of(joined)
        return [*(draft for draft in drafts if draft.cluster_id not in gone), *whole], effort

    def _known(self, finding: Finding) -> Draft | None:
        fields = self.kept.get(finding.lesson_ids)
        if fields is None:
            return None
        draft = Draft(finding, *fields)
        if draft.node:
            self.nodes.keep(draft.node)
        return draft

    def _made(self, findings: Sequence[Finding]) -> tuple[list[Draft], Effort]:
        groups = [[self.lessons[lesson_id] for lesson_id in finding.lesson_ids] for finding in findings]
        supports = [count_support(group) for group in groups]
        places = [admit(group, support, self.needed) for group, support in zip(groups, supports, strict=True)]
        costly = isinstance(self.merger, InductiveMerger)
        asked = [
            index
            for index, (placement, _) in enumerate(places)
            if not (costly and placement == "candidate" and worded_by_model(groups[index]))
        ]
        told = words_for([(groups[index], supports[index]) for index in asked], self.merger, self.nodes)
        answers = dict(zip(asked, told, strict=True))
        drafts = []
        for index, (finding, group, support) in enumerate(zip(findings, groups, supports, strict=True)):
            answer = answers.get(index)
            draft = self._draft(finding, group, support, places[index], answer)
            if answer is None or not answer.effort.fallbacks:
                self.kept.put(finding.lesson_ids, draft[1:])
            drafts.append(draft)
        return drafts, Effort.over(answer.effort for answer in told)

    def _draft(
        self,
        finding: Finding,
        lessons: Sequence[Lesson],
        support: Support,
        place: tuple[Placement, str],
        answer: Answer | None,
    ) -> Draft:
        silent = answer is not None and answer.text is None
        placement, reason = place
        if silent:
            placement, reason = "candidate", "no advice a person could follow yet"
        text = (answer.text if answer else None) or typical_words(lessons)
        cluster = Cluster(
            cluster_id=cluster_id_for(self.skill, finding),
            skill=self.skill,
            kind=finding.kind,
            section=_commonest_section(lessons),
            signature=finding.signature,
            lesson_ids=finding.lesson_ids,
            support=support,
            text=text,
            placement=placement,
            reason=reason,
        )
        return Draft(
            finding=finding,
            cluster_id=cluster.cluster_id,
            section=cluster.section,
            placement=placement,
            advice=text.advice,
            silent=silent,
            gated=placement != "candidate" and needs_permission(cluster),
            node=answer.node if answer else "",
            body=cluster.model_dump_json(),
        )


def cluster_id_for(skill: str, finding: Finding) -> str:
    """`c-` and 16 hex digits of skill and signature: stable while lessons come and go."""
    return "c-" + sha256(orjson.dumps([skill, *finding.key])).hexdigest()[:16]


def _commonest_section(lessons: Sequence[Lesson]) -> Section:
    named = [lesson.section for lesson in lessons]
    return min(set(named), key=lambda section: (-named.count(section), section))
