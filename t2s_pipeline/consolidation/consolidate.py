"""All lessons of a skill become clusters, each with support, words and a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.analysts.version import analysts_version
from t2s_pipeline.consolidation.admission import Needed
from t2s_pipeline.consolidation.ageing import weights_by_age
from t2s_pipeline.consolidation.cluster import LessonMerger
from t2s_pipeline.consolidation.conflicts import Conflict, resolve_conflicts
from t2s_pipeline.consolidation.drafts import Draft, Drafting
from t2s_pipeline.consolidation.embed import Embedder, WordLlamaEmbedder
from t2s_pipeline.consolidation.findings import Exact, Finding, exact_of, findings_of, join_findings, said_by
from t2s_pipeline.consolidation.kept import KeptDrafts
from t2s_pipeline.consolidation.merge import Effort, InductiveMerger
from t2s_pipeline.consolidation.nodes import NodeFiles, Nodes, NodesInMemory
from t2s_pipeline.consolidation.permission import Gate, gate_of_skill, held_back, open_gate
from t2s_pipeline.consolidation.result import Balance, Consolidation, Refused, account, balance_of
from t2s_pipeline.consolidation.stored import StoredLessons, write_difference
from t2s_pipeline.consolidation.tree import judge_findings
from t2s_pipeline.consolidation.vectors import KeptVectors
from t2s_pipeline.consolidation.version import CLUSTERS_VERSION
from t2s_pipeline.garbage import collector_paused
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.queries import last_times
from t2s_pipeline.store.safety import source_of_traces
from t2s_pipeline.store.store import Store

__all__ = ["ConsolidationReport", "account", "consolidate", "consolidate_skill"]

_UNFOUNDED = "has no evidence"


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
    """Drafts and judgements of earlier consolidations that were used again."""
    fallbacks: int
    """Clusters and topics for which the engine had no usable answer."""


@collector_paused()
def consolidate_skill(
    store: Store, settings: Settings, skill: str, merger: LessonMerger
) -> ConsolidationReport:
    """Replace the clusters and conflicts of a skill in the store by what its lessons say now.

    Raises:
        StoreBusy, StoreError: as the store does; the next consolidation puts right what is half written.
        EndpointError: the endpoint that was asked for has no vectors.
    """
    answers = DataPaths(settings.data).cache / "merges" / skill
    nodes = NodeFiles(answers)
    sources = source_of_traces(store, skill) if settings.min_sources > 1 else {}
    weights = {}
    if settings.half_life_days is not None:
        weights = weights_by_age(last_times(store, skill), settings.half_life_days)
    needed = Needed(settings.min_tasks, settings.min_sources, sources, weights)
    kept = KeptDrafts(
        CLUSTERS_VERSION,
        analysts_version(settings.engine),
        merger.name,
        merger.version,
        settings.model_dump(include={"min_tasks", "min_sources", "half_life_days"}),
    )
    if settings.min_sources == 1 and settings.half_life_days is None:  # files and times decide as well
        kept.read(answers / "drafts.parquet")
    vectors = KeptVectors(_embedder_of(merger), answers / "vectors")
    lessons = StoredLessons(store, skill)
    refused = [Refused(lesson_id=lesson_id, reason=_UNFOUNDED) for lesson_id in lessons.unfounded]
    drafting = Drafting(skill, lessons, needed, merger, nodes, kept)
    gate = gate_of_skill(store, skill, settings.permitted)
    result = _consolidate(lessons.exact, refused, drafting, vectors, gate)
    write_difference(store, result)
    nodes.drop_unused()
    vectors.drop_unused()
    kept.write(answers / "drafts.parquet")
    placed = Counter(draft.placement for draft in result.drafts)
    balance = balance_of(set(lessons), result)
    return ConsolidationReport(
        skill=skill,
        lessons=balance.lessons,
        clusters=len(result.drafts),
        admitted=placed["skill"],
        references=placed["reference"],
        candidates=placed["candidate"],
        refused=len(result.refused),
        conflicts=len(result.conflicts),
        not_permitted=len(result.not_permitted),
        balance=balance,
        root=result.root,
        asked=result.effort.asked,
        kept=result.effort.kept,
        fallbacks=result.effort.fallbacks,
    )


@collector_paused()
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
    kept: KeptDrafts | None = None,
) -> Consolidation:
    """Clusters and conflicts of `lessons`: a function of their set, whatever their order or batches.

    `source_of` says from which file a trace comes, `weight_of` how much it still counts, `gate` which
    clusters may not be said. `embedder` (default: the engine's own, else wordllama) proposes what an engine
    that costs should compare; `nodes` keeps that engine's answers between calls. Neither of the two plays a
    part for the statistical engine. `kept` has drafts of earlier calls.
    """
    by_id = {lesson.lesson_id: lesson for lesson in lessons}
    reasons = {lesson_id: _reason_to_refuse(lesson, skill) for lesson_id, lesson in by_id.items()}
    exact = exact_of(said_by(i, lesson) for i, lesson in by_id.items() if reasons[i] is None)
    refused = [Refused(lesson_id=i, reason=reason) for i, reason in sorted(reasons.items()) if reason]
    needed = Needed(min_tasks, min_sources, source_of or {}, weight_of or {})
    drafting = Drafting(skill, by_id, needed, merger, nodes or NodesInMemory(), kept or KeptDrafts())
    return _consolidate(exact, refused, drafting, embedder or _embedder_of(merger), gate)


def _consolidate(
    exact: Sequence[Exact],
    refused: Sequence[Refused],
    drafting: Drafting,
    embedder: Embedder,
    gate: Gate,
) -> Consolidation:
    said = findings_of(exact)
    findings = said.found
    effort = Effort()
    opposed: list[tuple[str, str]] = []
    if isinstance(drafting.merger, InductiveMerger):
        findings, opposed, effort = _judged(findings, drafting.merger, embedder, drafting.nodes)
    drafts, spent = drafting.drafts_of(findings)
    drafts, spent_again = drafting.join_equal_advice(drafts)
    decided = _decided(drafts, drafting.lessons, said.across, opposed, gate)
    return Consolidation(
        skill=drafting.skill,
        drafts=decided.drafts,
        conflicts=decided.conflicts,
        refused=tuple(refused),
        not_permitted=decided.not_permitted,
        effort=Effort.over((effort, spent, spent_again)),
    )


@dataclass(frozen=True)
class _Decided:
    """Drafts, once it is decided which of them may say what they say."""

    drafts: tuple[Draft, ...]
    """Sorted by cluster id."""
    conflicts: tuple[Conflict, ...]
    not_permitted: tuple[str, ...]


def _decided(
    drafts: Iterable[Draft],
    lessons: Mapping[str, Lesson],
    across: Iterable[tuple[str, str]],
    opposed: Iterable[tuple[str, str]],
    gate: Gate,
) -> _Decided:
    """The gate and the conflicts; `across` and `opposed` name clusters by the first lesson of one of their
    signatures. Only clusters that a gate or a conflict could change are opened.
    """
    by_id = {draft.cluster_id: draft for draft in drafts}
    # What may not be said defeats nothing that may.
    _, barred = held_back((draft.cluster for draft in by_id.values() if draft.gated), gate)
    out = {cluster.cluster_id for cluster in barred}
    allowed = {
        member.lesson_ids[0]: draft
        for draft in by_id.values()
        if not draft.silent and draft.cluster_id not in out
        for member in draft.finding.members
    }
    by_words, by_engine = (
        [
            (one.cluster_id, other.cluster_id)
            for one, other in ((allowed.get(one), allowed.get(other)) for one, other in pairs)
            # Two candidates change no line of the skill; they are decided when one is promoted.
            if one and other and not one.placement == other.placement == "candidate"
        ]
        for pairs in (across, opposed)
    )
    sides = sorted({cluster_id for pair in (*by_words, *by_engine) for cluster_id in pair})
    resolution = resolve_conflicts([by_id[side].cluster for side in sides], lessons, by_words, by_engine)
    standing = {cluster.cluster_id: cluster for cluster in resolution.clusters}
    # A split has added a condition to the words of both sides.
    split = [conflict for conflict in resolution.conflicts if conflict.decision == "split"]
    sides = sorted({cluster_id for conflict in split for cluster_id in (conflict.winner, conflict.loser)})
    _, barred_now = held_back([standing[cluster_id] for cluster_id in sides], gate)
    changed = {side: standing[side] for side in (*sides, *(one.loser for one in resolution.conflicts))}
    changed |= {cluster.cluster_id: cluster for cluster in (*barred, *barred_now)}
    by_id |= {cluster_id: by_id[cluster_id].decided(cluster) for cluster_id, cluster in changed.items()}
    return _Decided(
        drafts=tuple(by_id[cluster_id] for cluster_id in sorted(by_id)),
        conflicts=resolution.conflicts,
        not_permitted=tuple(sorted(cluster.cluster_id for cluster in (*barred, *barred_now))),
    )


def _embedder_of(merger: LessonMerger) -> Embedder:
    own = merger.embedder if isinstance(merger, InductiveMerger) else None
    return own or WordLlamaEmbedder()


def _reason_to_refuse(lesson: Lesson, skill: str) -> str | None:
    if lesson.skill != skill:
        return f"belongs to skill {lesson.skill}"
    if not lesson.evidence:
        return _UNFOUNDED
    return None


def _judged(
    findings: list[Finding], merger: InductiveMerger, embedder: Embedder, nodes: Nodes
) -> tuple[list[Finding], list[tuple[str, str]], Effort]:
    """Findings as the engine joins them, and the pairs it calls opposed, each by its first lesson.

    Only findings worded by a model are judged; signatures made by code already compare exactly.
    """
    free = [finding for finding in findings if not any(member.coded for member in finding.members)]
    if len(free) < 2:
        return findings, [], Effort()
    judged = judge_findings(free, merger, embedder, nodes)
    joined = [join_findings([free[index] for index in group]) for group in judged.same]
    taken = {finding.key for finding in free}
    kept = [finding for finding in findings if finding.key not in taken]
    opposed = [(free[one].lesson_ids[0], free[other].lesson_ids[0]) for one, other in judged.opposed]
    return sorted((*kept, *joined), key=lambda finding: finding.key), opposed, judged.effort
