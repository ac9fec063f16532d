"""Queries that look at stored results from outside, for checks and summaries."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from t2s_pipeline.store.store import Store


def evidence_of_batches(store: Store, batches: Sequence[str]) -> pl.DataFrame:
    """Rows of `evidence` of some batches, ordered by batch, lesson and place."""
    return store.query(
        "SELECT * FROM evidence WHERE batch IN (SELECT unnest(?::VARCHAR[]))"
        " ORDER BY batch, lesson_id, trace_id, first_step, last_step, quote",
        [list(batches)],
    )


def unplaced_lessons(store: Store, skill: str) -> list[str]:
    """Ids of the lessons of a skill that its latest consolidation put into no cluster."""
    rows = store.query(
        "SELECT DISTINCT lesson_id FROM lessons WHERE skill = $skill AND lesson_id NOT IN"
        " (SELECT lesson_id FROM cluster_lessons WHERE skill = $skill) ORDER BY lesson_id",
        {"skill": skill},
    )
    return rows["lesson_id"].to_list()


def places_of_lessons(store: Store, skill: str) -> dict[str, int]:
    """Lessons in clusters of the latest consolidation, by the placement of the cluster; a lesson that is in
    two clusters counts twice.
    """
    rows = store.query(
        "SELECT placement, count(*) AS lessons FROM cluster_lessons JOIN clusters USING (skill, cluster_id)"
        " WHERE skill = ? GROUP BY placement ORDER BY placement",
        [skill],
    )
    return dict(rows.iter_rows())


def refused_count(store: Store, skill: str) -> int:
    """Lessons of a skill that did not pass the checks, each kept with its reason."""
    rows = store.query("SELECT count(*) AS refused FROM refused_lessons WHERE skill = ?", [skill])
    return int(rows["refused"][0])


def lesson_count(store: Store, skill: str) -> int:
    """Distinct lessons of a skill."""
    rows = store.query("SELECT count(DISTINCT lesson_id) AS lessons FROM lessons WHERE skill = ?", [skill])
    return int(rows["lessons"][0])


def rules_without_evidence(store: Store, skill: str) -> list[str]:
    """Ids of the rules of the published version from which no quote can be reached."""
    rows = store.query(
        """
        SELECT DISTINCT rule_id FROM rules
        WHERE skill = $skill AND cluster_id NOT IN (
            SELECT cluster_id FROM cluster_lessons JOIN evidence USING (lesson_id) WHERE skill = $skill
        )
        ORDER BY rule_id
        """,
        {"skill": skill},
    )
    return rows["rule_id"].to_list()
