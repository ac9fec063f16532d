"""What rests on what: from a line of a skill back to trace steps, and from a trace to the lines."""

from __future__ import annotations

import polars as pl

from t2s_pipeline.store.store import Store


def rules_at_line(store: Store, skill: str, path: str, line: int) -> pl.DataFrame:
    """Rows of `rules` that say a line (1-based) of a file of the published skill."""
    return store.query(
        "SELECT * FROM rules WHERE skill = ? AND path = ? AND ? BETWEEN first_line AND last_line"
        " ORDER BY first_line, rule_id",
        [skill, path, line],
    )


def explain_rows(store: Store, skill: str, rule_id: str) -> pl.DataFrame:
    """Why a rule is there: one row per quote, from the rule over its cluster and lessons to the source.

    A rule with no evidence left still gives a row, with empty lesson and evidence columns.
    """
    return store.query(
        """
        WITH rule AS (
            SELECT * FROM rules WHERE skill = $skill AND rule_id = $rule_id
        ),
        member AS (
            SELECT cluster_id, lesson_id FROM cluster_lessons
            WHERE skill = $skill AND cluster_id IN (SELECT cluster_id FROM rule)
        ),
        shown AS (
            SELECT member.cluster_id, lesson.lesson_id, lesson.analyst, lesson.when_, lesson.do_,
                   lesson.because, quote.trace_id, quote.first_step, quote.last_step, quote.quote
            FROM member
            JOIN lessons AS lesson USING (lesson_id)
            LEFT JOIN evidence AS quote ON quote.lesson_id = lesson.lesson_id AND quote.batch = lesson.batch
        )
        SELECT rule.rule_id, rule.version, rule.path, rule.first_line, rule.last_line, rule.text,
               rule.cluster_id, cluster.kind, cluster.section, cluster.headline, cluster.traces,
               cluster.tasks, cluster.success, cluster.failure, cluster.occurrences,
               shown.lesson_id, shown.analyst, shown.when_, shown.do_, shown.because,
               shown.trace_id, source.uri AS source_uri, source.task_id, source.status AS outcome,
               shown.first_step, shown.last_step, shown.quote
        FROM rule
        LEFT JOIN clusters AS cluster ON cluster.cluster_id = rule.cluster_id AND cluster.skill = rule.skill
        LEFT JOIN shown ON shown.cluster_id = rule.cluster_id
        LEFT JOIN traces AS source ON source.trace_id = shown.trace_id
        ORDER BY rule.path <> 'SKILL.md', rule.path, rule.first_line, rule.cluster_id,
                 shown.lesson_id, shown.trace_id, shown.first_step, shown.last_step, shown.quote
        """,
        {"skill": skill, "rule_id": rule_id},
    )


def impact(store: Store, trace_id: str) -> pl.DataFrame:
    """What rests on a trace: one row per cluster it supports, with the rule that says it, if one does.

    `quotes` is the number of quotes from this trace, `traces` the cluster's whole support: a cluster with
    `traces` = 1 falls when the trace goes.
    """
    return store.query(
        """
        WITH taught AS (
            SELECT lesson_id, count(*) AS quotes FROM evidence WHERE trace_id = $trace_id GROUP BY lesson_id
        ),
        touched AS (
            SELECT member.skill, member.cluster_id, count(*) AS lessons, sum(quotes)::BIGINT AS quotes
            FROM cluster_lessons AS member JOIN taught USING (lesson_id)
            GROUP BY member.skill, member.cluster_id
        )
        SELECT touched.skill, touched.cluster_id, cluster.headline, cluster.placement, cluster.reason,
               cluster.traces, cluster.tasks, touched.lessons, touched.quotes, rule.rule_id, rule.path,
               rule.first_line, rule.last_line, rule.text
        FROM touched
        JOIN clusters AS cluster USING (skill, cluster_id)
        LEFT JOIN rules AS rule USING (skill, cluster_id)
        ORDER BY touched.skill, rule.path IS NULL, rule.path <> 'SKILL.md', rule.path, rule.first_line,
                 touched.cluster_id
        """,
        {"trace_id": trace_id},
    )


def lessons_of_trace(store: Store, trace_id: str) -> pl.DataFrame:
    """What a trace taught: one row per quote from it, with the lesson and the cluster the lesson is in, if
    it was consolidated since.
    """
    return store.query(
        """
        SELECT member.cluster_id, lesson.lesson_id, lesson.skill, lesson.analyst, lesson.kind, lesson.when_,
               lesson.do_, quote.first_step, quote.last_step, quote.quote
        FROM evidence AS quote
        JOIN lessons AS lesson USING (lesson_id, batch)
        LEFT JOIN cluster_lessons AS member
               ON member.lesson_id = lesson.lesson_id AND member.skill = lesson.skill
        WHERE quote.trace_id = ?
        ORDER BY lesson.skill, quote.first_step, lesson.lesson_id, quote.last_step, quote.quote
        """,
        [trace_id],
    )


def supported_rules(store: Store, skill: str) -> pl.DataFrame:
    """Rows of `rules` of the published version with the support of their clusters, in reading order."""
    return store.query(
        """
        SELECT rule.*, cluster.traces, cluster.tasks, cluster.success, cluster.failure
        FROM rules AS rule LEFT JOIN clusters AS cluster USING (skill, cluster_id)
        WHERE rule.skill = ?
        ORDER BY rule.path <> 'SKILL.md', rule.path, rule.first_line, rule.rule_id
        """,
        [skill],
    )


def lines_by_trace(store: Store, skill: str) -> pl.DataFrame:
    """One row per trace that the published version rests on, with the lines it taught; those that taught
    most lines first.
    """
    return store.query(
        """
        SELECT source.trace_id, source.uri, source.task_id, source.status,
               count(DISTINCT member.lesson_id) AS lessons,
               list_sort(list(DISTINCT rule.path || ':' || rule.first_line)) AS lines
        FROM rules AS rule
        JOIN cluster_lessons AS member USING (skill, cluster_id)
        JOIN evidence AS quote USING (lesson_id)
        JOIN traces AS source ON source.trace_id = quote.trace_id
        WHERE rule.skill = ?
        GROUP BY source.trace_id, source.uri, source.task_id, source.status
        ORDER BY len(lines) DESC, source.trace_id
        """,
        [skill],
    )
