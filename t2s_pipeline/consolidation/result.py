"""What consolidation makes of the lessons of a skill, and whether all of them are accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Cluster, Placement
from t2s_pipeline.consolidation.conflicts import Conflict
from t2s_pipeline.consolidation.drafts import Draft
from t2s_pipeline.consolidation.merge import Effort
from t2s_pipeline.consolidation.nodes import node_key


class Refused(BaseModel):
    """A lesson that takes no part in consolidation, and why."""

    model_config = ConfigDict(frozen=True)

    lesson_id: str
    reason: str


@dataclass(frozen=True)
class Consolidation:
    """What the lessons of a skill say together."""

    skill: str
    drafts: tuple[Draft, ...]
    """Every cluster as it is now, sorted by id; candidates included."""
    conflicts: tuple[Conflict, ...]
    refused: tuple[Refused, ...]
    not_permitted: tuple[str, ...]
    """Ids of clusters that have the support for a rule and stay candidates, because they name what no agent
    ran itself."""
    effort: Effort

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """Sorted by id; candidates included."""
        return tuple(draft.cluster for draft in self.drafts)

    @cached_property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the JSON of each cluster, by cluster id."""
        return {draft.cluster_id: sha256(draft.body.encode()).hexdigest() for draft in self.drafts}

    @cached_property
    def root(self) -> str:
        """Key of the skill's node, over its sections, over their clusters: equal when clusters and conflicts
        are equal."""
        sections: dict[str, list[str]] = {}
        for draft in self.drafts:
            sections.setdefault(draft.section, []).append(self.digests[draft.cluster_id])
        keys = {section: node_key("section", children) for section, children in sections.items()}
        return node_key("skill", [keys, [conflict.model_dump() for conflict in self.conflicts]])


class Balance(BaseModel):
    """Where the lessons went. `lost` and `twice` are empty unless the code is wrong."""

    model_config = ConfigDict(frozen=True)

    lessons: int
    in_skill: int
    in_references: int
    in_candidates: int
    refused: int
    lost: tuple[str, ...]
    """Ids of lessons that are nowhere."""
    twice: tuple[str, ...]
    """Ids that are in more than one place, or that no lesson has."""

    @property
    def holds(self) -> bool:
        return not self.lost and not self.twice


def account(lessons: Iterable[Lesson], consolidation: Consolidation) -> Balance:
    """Where each lesson went: every one must be in exactly one cluster or refused."""
    return balance_of({lesson.lesson_id for lesson in lessons}, consolidation)


def balance_of(expected: Set[str], consolidation: Consolidation) -> Balance:
    """The same for the ids of the lessons."""
    places = [entry.lesson_id for entry in consolidation.refused]
    by_placement: dict[Placement, int] = {"skill": 0, "reference": 0, "candidate": 0}
    for draft in consolidation.drafts:
        places.extend(draft.finding.lesson_ids)
        by_placement[draft.placement] += len(draft.finding.lesson_ids)
    placed = set(places)
    repeated = (
        [key for key, times in Counter(places).items() if times > 1] if len(placed) < len(places) else []
    )
    return Balance(
        lessons=len(expected),
        in_skill=by_placement["skill"],
        in_references=by_placement["reference"],
        in_candidates=by_placement["candidate"],
        refused=len(consolidation.refused),
        lost=tuple(sorted(expected - placed)),
        twice=tuple(sorted({*repeated, *(placed - expected)})),
    )
