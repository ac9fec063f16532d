"""All lessons of a skill become clusters, each with support, words and a place."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.admission import Needed
from t2s_pipeline.consolidation.ageing import weights_by_age
from t2s_pipeline.consolidation.cluster import Cluster, LessonMerger
from t2s_pipeline.consolidation.conflicts import Conflict, resolve_conflicts
from t2s_pipeline.consolidation.drafts import cluster_of, drafts_of, join_equal_advice
from t2s_pipeline.consolidation.embed import Embedder, WordLlamaEmbedder
from t2s_pipeline.consolidation.findings import Finding, findings_of, join_findings
from t2s_pipeline.consolidation.merge import Effort, InductiveMerger
from t2s_pipeline.consolidation.nodes import NodeFiles, Nodes, NodesInMemory
from t2s_pipeline.consolidation.permission import Gate, gate_of_skill, held_back, open_gate
from t2s_pipeline.consolidation.result import Balance, Consolidation, Refused, account, balance_of, root_of
from t2s_pipeline.consolidation.tree import judge_findings
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import clusters_frames, frame
from t2s_pipeline.store.queries import last_times, lessons_by_id
from t2s_pipeline.store.safety import source_of_traces
from t2s_pipeline.store.store import Store

__all__ = ["CONSOLIDATION_VERSION", "ConsolidationReport", "account", "consolidate", "consolidate_skill"]

CONSOLIDATION_VERSION = "1"
"""Part of the code version of what is built from clusters: raise it when the same lessons would give other
clusters."""


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: there is none to find, and looking through the fields of
    100,000 lessons again and again takes more time than the work itself."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class ConsolidationReport(BaseModel):
    """What consolidating a skill came to."""

    model_config = ConfigDict(frozen=True)

    skill: str
    lessons: int
    clusters: int
    admitted: int
    """Clusters placed in SKILL.md."""
    references: int
    candidates: int
    refused: int
    conflicts: int
    not_permitted: int
    """Candidates that have the support for a rule and name what no agent ran itself."""
    balance: Balance
    root: str
    """Changes exactly when a cluster or a conflict changes."""
    asked: int
    """Calls of the engine, retries included; for the statistical engine these cost nothing."""
    kept: int
    """Answers of earlier consolidations that were used again."""
    fallbacks: int
    """Clusters and topics for which the engine had no usable answer."""


@_collector_paused()
def consolidate_skill(
    store: Store, settings: Settings, skill: str, merger: LessonMerger
) -> ConsolidationReport:
    """Replace the clusters and conflicts of a skill in the store by what its lessons say now.

    Raises:
        StoreBusy, StoreError: as the store does; nothing is half written.
    """
    nodes = NodeFiles(DataPaths(settings.data).cache / "merges" / skill)
    lessons = lessons_by_id(store, skill)
    sources = source_of_traces(store, skill) if settings.min_sources > 1 else {}
    weights = {}
    if settings.half_life_days is not None:
        weights = weights_by_age(last_times(store, skill), settings.half_life_days)
    needed = Needed(settings.min_tasks, settings.min_sources, sources, weights)
    gate = gate_of_skill(store, skill, settings.permitted)
    result = _consolidate(lessons, skill, needed, merger, None, nodes, gate)
    conflicts = frame(
        "conflicts", ({"skill": skill, **conflict.model_dump()} for conflict in result.conflicts)
    )
    tables = clusters_frames(result.clusters)
    store.replace({"skill": skill}, {**tables, "conflicts": conflicts})
    nodes.drop_unused()
    placed = Counter(cluster.placement for cluster in result.clusters)
    balance = balance_of(lessons.keys(), result)
    return ConsolidationReport(
        skill=skill,
        lessons=balance.lessons,
        clusters=len(result.clusters),
        admitted=placed["skill"],
        references=placed["reference"],
        candidates=placed["candidate"],
        refused=len(result.refused),
        conflicts=len(result.conflicts),
        not_permitted=len(result.not_permitted),
        balance=balance,
        root=root_of(tables["clusters"].select("section", "body").iter_rows(), result.conflicts),
        asked=result.effort.asked,
        kept=result.effort.kept,
        fallbacks=result.effort.fallbacks,
    )


@_collector_paused()
def consolidate(
    lessons: Iterable[Lesson],
    *,
    skill: str,
    min_tasks: int,
    merger: LessonMerger,
    min_sources: int = 1,
    source_of: Mapping[str, str] | None = None,
    weight_of: Mapping[str, float] | None = None,
    gate: Gate = open_gate,
    embedder: Embedder | None = None,
    nodes: Nodes | None = None,
) -> Consolidation:
    """Clusters and conflicts of `lessons`: a function of their set, whatever their order or batches.

    `source_of` says from which file a trace comes, `weight_of` how much it still counts, `gate` which
    clusters may not be said. `embedder` (default: wordllama) proposes what an engine that costs should
    compare; `nodes` keeps that engine's answers between calls. Neither of the two plays a part for the
    statistical engine.
    """
    by_id = {lesson.lesson_id: lesson for lesson in lessons}
    needed = Needed(min_tasks, min_sources, source_of or {}, weight_of or {})
    return _consolidate(by_id, skill, needed, merger, embedder, nodes or NodesInMemory(), gate)


def _consolidate(
    lessons: Mapping[str, Lesson],
    skill: str,
    needed: Needed,
    merger: LessonMerger,
    embedder: Embedder | None,
    nodes: Nodes,
    gate: Gate,
) -> Consolidation:
    reasons = {lesson_id: _reason_to_refuse(lesson, skill) for lesson_id, lesson in lessons.items()}
    by_id = {lesson_id: lesson for lesson_id, lesson in lessons.items() if reasons[lesson_id] is None}
    refused = tuple(
        Refused(lesson_id=lesson_id, reason=reason)
        for lesson_id, reason in sorted((i, r) for i, r in reasons.items() if r is not None)
    )
    said = findings_of(by_id)
    findings = said.found
    effort = Effort()
    opposed: list[tuple[str, str]] = []
    if isinstance(merger, InductiveMerger):
        findings, opposed, effort = _judged(findings, by_id, merger, embedder, nodes)
    drafts, spent = drafts_of(findings, by_id, needed, merger, nodes)
    drafts, spent_again = join_equal_advice(drafts, by_id, needed, merger, nodes)
    silent = [cluster_of(skill, draft) for draft in drafts if draft.silent]
    speaking = [cluster_of(skill, draft) for draft in drafts if not draft.silent]
    decided = _decided(speaking, by_id, said.across, opposed, gate)
    clusters = sorted((*silent, *decided.clusters), key=lambda cluster: cluster.cluster_id)
    return Consolidation(
        skill=skill,
        clusters=tuple(clusters),
        conflicts=decided.conflicts,
        refused=refused,
        not_permitted=decided.not_permitted,
        effort=Effort.over((effort, spent, spent_again)),
    )


@dataclass(frozen=True)
class _Decided:
    """Clusters that say something, once it is decided which of them may."""

    clusters: tuple[Cluster, ...]
    conflicts: tuple[Conflict, ...]
    not_permitted: tuple[str, ...]


def _decided(
    clusters: Sequence[Cluster],
    lessons: Mapping[str, Lesson],
    across: Iterable[tuple[str, str]],
    opposed: Iterable[tuple[str, str]],
    gate: Gate,
) -> _Decided:
    """The gate and the conflicts; `across` and `opposed` name clusters by one of their lessons."""
    # What may not be said defeats nothing that may.
    allowed, barred = held_back(clusters, gate)
    id_of = {lesson_id: cluster.cluster_id for cluster in allowed for lesson_id in cluster.lesson_ids}
    by_words, by_engine = (
        [(id_of[one], id_of[other]) for one, other in pairs if one in id_of and other in id_of]
        for pairs in (across, opposed)
    )
    resolution = resolve_conflicts(allowed, lessons, by_words, by_engine)
    standing = {cluster.cluster_id: cluster for cluster in resolution.clusters}
    # A split has added a condition to the words of both sides.
    split = [conflict for conflict in resolution.conflicts if conflict.decision == "split"]
    sides = sorted({cluster_id for conflict in split for cluster_id in (conflict.winner, conflict.loser)})
    _, barred_now = held_back([standing[cluster_id] for cluster_id in sides], gate)
    standing |= {cluster.cluster_id: cluster for cluster in (*barred, *barred_now)}
    return _Decided(
        clusters=tuple(standing.values()),
        conflicts=resolution.conflicts,
        not_permitted=tuple(sorted(cluster.cluster_id for cluster in (*barred, *barred_now))),
    )


def _reason_to_refuse(lesson: Lesson, skill: str) -> str | None:
    if lesson.skill != skill:
        return f"belongs to skill {lesson.skill}"
    if not lesson.evidence:
        return "has no evidence"
    return None


def _judged(
    findings: list[Finding],
    lessons: Mapping[str, Lesson],
    merger: InductiveMerger,
    embedder: Embedder | None,
    nodes: Nodes,
) -> tuple[list[Finding], list[tuple[str, str]], Effort]:
    """Findings as the engine joins them, and the pairs it calls opposed, each by one of its lessons.

    Only findings worded by a model are judged; signatures made by code already compare exactly.
    """
    free = [f for f in findings if all(lessons[lesson_id].engine == "llm" for lesson_id in f.lesson_ids)]
    if len(free) < 2:
        return findings, [], Effort()
    judged = judge_findings(free, merger, embedder or WordLlamaEmbedder(), nodes)
    joined = [join_findings([free[index] for index in group], lessons) for group in judged.same]
    taken = {finding.key for finding in free}
    kept = [finding for finding in findings if finding.key not in taken]
    opposed = [(free[one].lesson_ids[0], free[other].lesson_ids[0]) for one, other in judged.opposed]
    return sorted((*kept, *joined), key=lambda finding: finding.key), opposed, judged.effort
