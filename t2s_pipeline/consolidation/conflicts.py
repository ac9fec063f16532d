"""Clusters that contradict each other, and which of them stands.

Two clusters are opposed when they are about the same tool, trigger and action and advise opposite things.
The one with more evidence stands and the other waits as a candidate, unless a recorded circumstance tells
their cases apart: then both stand, each under its condition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.consolidation.wording import advice_of

CIRCUMSTANCES = ("agent", "arguments")
"""Keys of `Lesson.facts` under which opposed clusters may differ; a mapping counts by its own keys."""

Relation = Literal["opposed", "covered"]
_OPPOSED: Relation = "opposed"
Decision = Literal["evidence", "precedence", "split", "covered"]
"""More evidence, or with equal evidence the better kind; both under a condition; both say the same thing
and one of them is enough."""
MAX_VALUES = 3
"""Values a condition may list; more are no condition a reader could use."""


class Conflict(BaseModel):
    """Two clusters that contradict each other, and how that was decided."""

    model_config = ConfigDict(frozen=True)

    winner: str
    loser: str
    """In a `split` both stand, and this is the one with less evidence."""
    decision: Decision
    reason: str


@dataclass(frozen=True)
class Resolution:
    """Clusters after their conflicts were decided."""

    clusters: tuple[Cluster, ...]
    conflicts: tuple[Conflict, ...]


def resolve_conflicts(
    clusters: Sequence[Cluster],
    lessons: Mapping[str, Lesson],
    across: Iterable[tuple[str, str]],
    told: Iterable[tuple[str, str]] = (),
) -> Resolution:
    """Decide every contradiction among clusters that say something.

    `across` are pairs of cluster ids that say the same but for their kind or direction, `told` pairs that
    the engine calls opposed. The strongest cluster decides first, and a cluster that has lost defeats no
    other.
    """
    standing = {cluster.cluster_id: cluster for cluster in clusters}
    rivals: dict[str, dict[str, Relation]] = defaultdict(dict)
    by_words = ((one, other, _relation(standing[one], standing[other])) for one, other in across)
    by_engine = ((one, other, _OPPOSED) for one, other in told)
    for one, other, relation in (*by_engine, *by_words):
        # Two candidates change no line of the skill; they are decided when one is promoted.
        if (
            relation
            and one != other
            and {standing[one].placement, standing[other].placement} != {"candidate"}
        ):
            rivals[one].setdefault(other, relation)
            rivals[other].setdefault(one, relation)
    strength = {cluster_id: _evidence(standing[cluster_id], lessons) for cluster_id in rivals}
    conflicts: list[Conflict] = []
    lost: set[str] = set()
    decided: set[str] = set()
    for winner in sorted(rivals, key=strength.__getitem__):
        decided.add(winner)
        if winner in lost:
            continue
        for loser in sorted(rivals[winner].keys() - decided - lost, key=strength.__getitem__):
            relation = rivals[winner][loser]
            conditions = (
                _conditions(standing[winner], standing[loser], lessons) if relation == "opposed" else None
            )
            if conditions is not None:
                for cluster_id, condition in zip((winner, loser), conditions, strict=True):
                    standing[cluster_id] = _under(standing[cluster_id], condition)
                reason = " / ".join(conditions)
                conflicts.append(Conflict(winner=winner, loser=loser, decision="split", reason=reason))
                continue
            decision, reason = _decision(standing[winner], standing[loser], lessons)
            if relation == "covered":
                decision, reason = "covered", f"both say the same; {reason}"
            lost.add(loser)
            standing[loser] = standing[loser].model_copy(
                update={"placement": "candidate", "reason": f"lost to {winner}: {reason}"}
            )
            conflicts.append(Conflict(winner=winner, loser=loser, decision=decision, reason=reason))
    return Resolution(
        tuple(standing[cluster.cluster_id] for cluster in clusters),
        tuple(sorted(conflicts, key=lambda conflict: (conflict.winner, conflict.loser))),
    )


def _relation(one: Cluster, other: Cluster) -> Relation | None:
    """How two clusters about the same tool, trigger and action stand to each other.

    Where an action is named, its direction tells. Without one the advice is about the trigger itself: to
    keep it (`preserve`) or not, and mending a thing does not contradict dropping it.
    """
    about, follows = advice_of(one.signature.action, one.signature.negated)
    _, other_follows = advice_of(other.signature.action, other.signature.negated)
    kinds = {one.kind, other.kind}
    if not about.words and len(kinds) == 2:
        return "opposed" if "preserve" in kinds else None
    if follows != other_follows or kinds == {"prune", "preserve"}:
        return "opposed"
    return "covered" if len(kinds) == 2 else None


Evidence = tuple[int, int, float, float, int, str]
"""Tasks, placement, effect, success share, precedence, id: smaller is stronger."""


def _evidence(cluster: Cluster, lessons: Mapping[str, Lesson]) -> Evidence:
    support = cluster.support
    effect = support.effect
    judged = support.success + support.failure
    return (
        -support.tasks,
        ("skill", "reference", "candidate").index(cluster.placement),
        -(effect.success_with - effect.success_without) if effect else 0.0,
        -(support.success / judged) if judged else 0.0,
        _precedence(cluster, lessons),
        cluster.cluster_id,
    )


def _precedence(cluster: Cluster, lessons: Mapping[str, Lesson]) -> int:
    """Repair, prune with a counterfactual, preserve, prune (ClawTrace, arXiv 2604.23853)."""
    if cluster.kind == "repair":
        return 0
    if cluster.kind == "preserve":
        return 2
    shown = any(lessons[lesson_id].facts.get("counterfactual") for lesson_id in cluster.lesson_ids)
    return 1 if shown else 3


def _decision(winner: Cluster, loser: Cluster, lessons: Mapping[str, Lesson]) -> tuple[Decision, str]:
    """The first kind of evidence that tells the two apart, and how."""
    strong, weak = _evidence(winner, lessons), _evidence(loser, lessons)
    decision: Decision = "evidence"
    if strong[0] != weak[0]:
        reason = f"{-strong[0]} tasks against {-weak[0]}"
    elif strong[1] != weak[1]:
        reason = f"{winner.reason} against {loser.reason}"
    elif strong[2] != weak[2]:
        reason = f"success changes by {-100 * strong[2]:+.0f} points against {-100 * weak[2]:+.0f}"
    elif strong[3] != weak[3]:
        reason = f"{-100 * strong[3]:.0f} % of its runs succeeded against {-100 * weak[3]:.0f} %"
    else:
        decision = "precedence"
        kinds = f"{winner.kind} comes before {loser.kind}"
        reason = kinds if strong[4] != weak[4] else "equal evidence, the first by id stands"
    return decision, reason


def _conditions(one: Cluster, other: Cluster, lessons: Mapping[str, Lesson]) -> tuple[str, str] | None:
    """The circumstance that tells the cases of two clusters apart, as a condition for each.

    Both must be able to stand alone, and every lesson of both must record the circumstance; otherwise
    an accident of few lessons would pass for a condition.
    """
    if "candidate" in (one.placement, other.placement):
        return None
    here, there = (
        _circumstances([lessons[lesson_id] for lesson_id in cluster.lesson_ids]) for cluster in (one, other)
    )
    for name in sorted(here.keys() & there.keys()):
        values = here[name], there[name]
        if not here[name] & there[name] and all(len(side) <= MAX_VALUES for side in values):
            first, second = (" or ".join(f"`{value}`" for value in sorted(side)) for side in values)
            return f"{name} is {first}", f"{name} is {second}"
    return None


def _circumstances(lessons: Sequence[Lesson]) -> dict[str, set[str]]:
    """Values of each circumstance that every one of the lessons records."""
    recorded: dict[str, list[str]] = defaultdict(list)
    for lesson in lessons:
        for name in CIRCUMSTANCES:
            value = lesson.facts.get(name)
            items = value.items() if isinstance(value, Mapping) else ((name, value),)
            for key, inner in items:
                if isinstance(inner, str | int | float | bool):
                    recorded[str(key)].append(str(inner))
    return {name: set(values) for name, values in recorded.items() if len(values) == len(lessons)}


def _under(cluster: Cluster, condition: str) -> Cluster:
    sentence = f"Applies when {condition}."
    detail = f"{sentence} {cluster.text.detail}".strip()
    return cluster.model_copy(
        update={
            "text": cluster.text.model_copy(update={"detail": detail}),
            "reason": f"{cluster.reason}; only when {condition}",
        }
    )
