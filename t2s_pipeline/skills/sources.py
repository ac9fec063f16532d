"""What the store knows about a skill, as the writer needs it: clusters, counts, and a choice of quotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.skills.lineage_file import EvidenceQuote
from t2s_pipeline.store.queries import clusters_of_skill
from t2s_pipeline.store.store import Store

EVIDENCE_PER_RULE = 8
"""Quotes of a rule that travel with the skill; the store has them all."""
MIN_TOOL_SHARE = 0.25
"""Share of the runs that must have called a tool for the skill to be about it."""
QUOTE_LENGTH = 280
"""Characters of a quote that travel with the skill: its beginning, so that it is still found verbatim."""


@dataclass(frozen=True)
class ClusterEvidence:
    """The quotes chosen for a cluster, how many there are, and the words seen in runs that succeeded."""

    quotes: tuple[EvidenceQuote, ...] = ()
    total: int = 0
    seen_in_successes: str = ""


@dataclass(frozen=True)
class Learnt:
    """Everything a skill is written from, apart from a base skill."""

    skill: str
    clusters: tuple[Cluster, ...]
    """Sorted by cluster id."""
    evidence: Mapping[str, ClusterEvidence] = field(default_factory=dict)
    runs: int = 0
    tasks: int = 0
    succeeded: int = 0
    failed: int = 0
    tools: Sequence[tuple[str, str]] = ()
    """Tools that a good part of the runs called, with the kind of action they are for (`sql`, `shell`,
    `python`, `other`); the most used first."""

    def evidence_of(self, cluster_id: str) -> ClusterEvidence:
        return self.evidence.get(cluster_id, ClusterEvidence())


def learnt_from_store(store: Store, skill: str) -> Learnt:
    """The latest consolidation of `skill` with the counts of its runs."""
    clusters = sorted(clusters_of_skill(store, skill), key=lambda cluster: cluster.cluster_id)
    counts = store.query(
        "SELECT count(*) AS runs, count(DISTINCT task_id) AS tasks,"
        " count(*) FILTER (status = 'success') AS succeeded, count(*) FILTER (status = 'failure') AS failed"
        " FROM traces WHERE skill = ? AND NOT infra_error",
        [skill],
    ).row(0, named=True)
    placed = [cluster.cluster_id for cluster in clusters if cluster.placement != "candidate"]
    return Learnt(
        skill=skill,
        clusters=tuple(clusters),
        evidence=_evidence(store, skill, placed),
        tools=_tools(store, skill, int(MIN_TOOL_SHARE * counts["runs"])),
        **counts,
    )


def _tools(store: Store, skill: str, more_runs_than: int) -> list[tuple[str, str]]:
    rows = store.query(
        "SELECT tool, min(kind) FROM actions WHERE skill = ? GROUP BY tool"
        " HAVING count(DISTINCT trace_id) > ? ORDER BY count(DISTINCT trace_id) DESC, tool",
        [skill, max(more_runs_than, 1)],
    )
    return [(tool, kind) for tool, kind in rows.iter_rows()]


def _evidence(store: Store, skill: str, clusters: Sequence[str]) -> dict[str, ClusterEvidence]:
    """A few quotes per cluster, the same ones every time: one of every task before a second one of any, of
    every run before a second one, and in a run the earliest step first: that is what went wrong."""
    rows = store.query(
        """
        WITH quoted AS (
            SELECT DISTINCT member.cluster_id, quote.trace_id, quote.first_step, quote.last_step, quote.quote,
                   source.uri, source.status, coalesce(source.task_id, quote.trace_id) AS task
            FROM cluster_lessons AS member
            JOIN evidence AS quote USING (lesson_id)
            JOIN traces AS source ON source.trace_id = quote.trace_id
            WHERE member.skill = $skill AND list_contains($clusters::VARCHAR[], member.cluster_id)
        ),
        in_run AS (
            SELECT *, count(*) OVER (PARTITION BY cluster_id) AS total,
                   row_number() OVER (
                       PARTITION BY cluster_id, trace_id
                       ORDER BY first_step, last_step DESC, length(quote) DESC, quote
                   ) AS nth
            FROM quoted
        ),
        turns AS (
            SELECT *, row_number() OVER (PARTITION BY cluster_id, task ORDER BY nth, trace_id) AS turn
            FROM in_run
        )
        SELECT cluster_id, trace_id, uri, status, first_step, last_step, quote, total
        FROM turns
        QUALIFY row_number() OVER (
            PARTITION BY cluster_id ORDER BY turn, task
        ) <= $most
        ORDER BY cluster_id, turn, task
        """,
        {"skill": skill, "clusters": list(clusters), "most": EVIDENCE_PER_RULE},
    )
    found: dict[str, ClusterEvidence] = {}
    for row in rows.iter_rows(named=True):
        before = found.get(row["cluster_id"], ClusterEvidence())
        quote = EvidenceQuote(
            trace_id=row["trace_id"],
            source_uri=row["uri"],
            first_step=row["first_step"],
            last_step=row["last_step"],
            quote=row["quote"][:QUOTE_LENGTH],
        )
        seen = f"{before.seen_in_successes}\n{row['quote']}" if row["status"] == "success" else None
        found[row["cluster_id"]] = ClusterEvidence(
            (*before.quotes, quote), row["total"], before.seen_in_successes if seen is None else seen
        )
    return found
