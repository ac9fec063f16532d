"""What the other rooms ask the store, by name. Rows come in a fixed order; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl
from atif import Trajectory

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.record import Outcome, Source, TraceRecord, Usage

_STEPS_AT_A_TIME = 30_000
"""Steps read in one piece while rebuilding records: some tens of megabytes of text."""


def traces_of_batches(store: Store, batches: Sequence[str]) -> pl.DataFrame:
    """Rows of `traces`, headers included, ordered by batch and trace."""
    return store.query(
        "SELECT * FROM traces WHERE batch IN (SELECT unnest(?::VARCHAR[])) ORDER BY batch, trace_id",
        [list(batches)],
    )


def traces_of_skill(store: Store, skill: str) -> pl.DataFrame:
    """Rows of `traces` of a skill without their headers, ordered by trace."""
    return store.query("SELECT * EXCLUDE (header) FROM traces WHERE skill = ? ORDER BY trace_id", [skill])


def trace(store: Store, trace_id: str) -> TraceRecord | None:
    """One record; None when the store does not have it."""
    traces = store.query("SELECT * FROM traces WHERE trace_id = ?", [trace_id])
    if traces.is_empty():
        return None
    bodies = steps_of_trace(store, trace_id)["body"].to_list()
    return _record(traces.row(0, named=True), bodies)


def steps_of_batches(store: Store, batches: Sequence[str]) -> pl.DataFrame:
    """Rows of `steps`, ordered by batch, trace and step."""
    return store.query(
        "SELECT * FROM steps WHERE batch IN (SELECT unnest(?::VARCHAR[])) ORDER BY batch, trace_id, step_id",
        [list(batches)],
    )


def step_bytes(store: Store, batches: Sequence[str]) -> dict[str, int]:
    """Bytes of the step bodies of each batch that has any."""
    rows = store.query(
        "SELECT batch, sum(strlen(body)) FROM steps WHERE batch IN (SELECT unnest(?::VARCHAR[]))"
        " GROUP BY batch ORDER BY batch",
        [list(batches)],
    )
    return {batch: int(size) for batch, size in rows.iter_rows()}


def steps_of_traces(store: Store, trace_ids: Sequence[str]) -> pl.DataFrame:
    """Rows of `steps` of the given traces, ordered by trace and step."""
    return store.query(
        "SELECT * FROM steps WHERE trace_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY trace_id, step_id",
        [list(trace_ids)],
    )


def steps_of_trace(store: Store, trace_id: str) -> pl.DataFrame:
    """Rows of `steps` of one trace, in order."""
    return store.query("SELECT * FROM steps WHERE trace_id = ? ORDER BY step_id", [trace_id])


def step_bodies(store: Store, steps: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """The ATIF JSON of many (trace id, step id) at once; steps the store does not have are left out."""
    wanted = sorted(set(steps))
    rows = store.query(
        "SELECT trace_id, step_id, body FROM steps JOIN"
        " (SELECT unnest($traces::VARCHAR[]) AS trace_id, unnest($steps::INTEGER[]) AS step_id)"
        " USING (trace_id, step_id) ORDER BY trace_id, step_id",
        {"traces": [trace_id for trace_id, _ in wanted], "steps": [step_id for _, step_id in wanted]},
    )
    return {(trace_id, step_id): body for trace_id, step_id, body in rows.iter_rows()}


def trace_records(store: Store, batches: Sequence[str]) -> Iterator[TraceRecord]:
    """The records of some batches, ordered by batch and trace, a bounded number in memory at a time."""
    traces = traces_of_batches(store, batches)
    piece = (traces["n_steps"].cum_sum() // _STEPS_AT_A_TIME).alias("piece")
    for _, part in traces.group_by(piece, maintain_order=True):
        steps = store.query(
            "SELECT trace_id, body FROM steps WHERE batch IN (SELECT unnest($batches::VARCHAR[]))"
            " AND trace_id IN (SELECT unnest($traces::VARCHAR[])) ORDER BY trace_id, step_id",
            {"batches": part["batch"].unique().to_list(), "traces": part["trace_id"].to_list()},
        )
        bodies: dict[str, list[str]] = {}
        for trace_id, body in steps.iter_rows():
            bodies.setdefault(trace_id, []).append(body)
        for row in part.iter_rows(named=True):
            yield _record(row, bodies.get(row["trace_id"], []))


def records_of_task(store: Store, skill: str, task_id: str) -> list[TraceRecord]:
    """The records of all attempts at a task, ordered by trace."""
    rows = store.query(
        "SELECT * FROM traces WHERE skill = ? AND task_id = ? ORDER BY trace_id", [skill, task_id]
    )
    return _records(store, rows)


def records_of_many_tasks(store: Store, skill: str, tasks: int) -> list[TraceRecord]:
    """One record each of that many tasks of a skill, always the same ones while no trace is added."""
    rows = store.query(
        "SELECT * FROM traces WHERE trace_id IN (SELECT min(trace_id) FROM traces WHERE skill = ?"
        " GROUP BY coalesce(task_id, trace_id) ORDER BY hash(min(trace_id)) LIMIT ?) ORDER BY trace_id",
        [skill, tasks],
    )
    return _records(store, rows)


def _records(store: Store, rows: pl.DataFrame) -> list[TraceRecord]:
    steps = steps_of_traces(store, rows["trace_id"].to_list())
    grouped = steps.group_by("trace_id", maintain_order=True)
    bodies = {str(key[0]): part["body"].to_list() for key, part in grouped}
    return [_record(row, bodies.get(row["trace_id"], [])) for row in rows.iter_rows(named=True)]


def actions_of_skill(store: Store, skill: str) -> pl.DataFrame:
    """Rows of `actions` of a skill, ordered by trace and position."""
    return store.query("SELECT * FROM actions WHERE skill = ? ORDER BY trace_id, position", [skill])


def last_times(store: Store, skill: str) -> dict[str, str]:
    """The latest time a step of a trace carries (ISO 8601), by trace id; traces without one are left out."""
    rows = store.query(
        "SELECT trace_id, max(json_extract_string(body, '$.timestamp')) AS last FROM steps"
        " WHERE trace_id IN (SELECT trace_id FROM traces WHERE skill = ?) GROUP BY trace_id"
        " HAVING last IS NOT NULL ORDER BY trace_id",
        [skill],
    )
    return dict(rows.iter_rows())


def lessons_of_skill(store: Store, skill: str) -> list[Lesson]:
    """Every lesson of a skill, ordered by id."""
    rows = store.query("SELECT lesson_id, body FROM lessons WHERE skill = ?", [skill])
    bodies = dict(rows.iter_rows())
    return [Lesson.model_validate_json(bodies[lesson_id]) for lesson_id in sorted(bodies)]


def lesson_signatures(store: Store, skill: str) -> pl.DataFrame:
    """Bodies of the lessons of a skill in no order, with what is compared of them: kind, the fields of the
    signature, `coded` where the statistical engine made it, `shown` where it has evidence.
    """
    return store.query(
        """
        WITH said AS MATERIALIZED (
            -- One call for all of them: each parses the whole body.
            SELECT lesson_id, kind, engine, body, json_extract_string(body, ['$.signature.pattern',
                       '$.signature.tool', '$.signature.trigger', '$.signature.action',
                       '$.signature.negated', '$.evidence[0].trace_id']) AS fields
            FROM lessons WHERE skill = ?
        )
        SELECT lesson_id, kind, fields[1] AS pattern, fields[2] AS tool, fields[3] AS trigger,
               fields[4] AS action, fields[5] = 'true' AS negated, engine = 'statistical' AS coded,
               fields[6] IS NOT NULL AS shown, body
        FROM said
        """,
        [skill],
    )


def cluster_digests(store: Store, skill: str) -> dict[str, tuple[str | None, int]]:
    """SHA-256 of the body of each cluster of a skill and the number of its lessons, by cluster id. The first
    is None where there is not exactly one such cluster.
    """
    rows = store.query(
        """
        WITH body AS (
            SELECT cluster_id, CASE WHEN count(*) = 1 THEN any_value(sha256(body)) END AS digest
            FROM clusters WHERE skill = $skill GROUP BY cluster_id
        ),
        member AS (
            SELECT cluster_id, count(*) AS lessons
            FROM cluster_lessons WHERE skill = $skill GROUP BY cluster_id
        )
        SELECT cluster_id, digest, coalesce(lessons, 0) FROM body FULL JOIN member USING (cluster_id)
        ORDER BY cluster_id
        """,
        {"skill": skill},
    )
    return {cluster_id: (digest, lessons) for cluster_id, digest, lessons in rows.iter_rows()}


def lesson_rows(store: Store, batches: Sequence[str]) -> pl.DataFrame:
    """Rows of `lessons` of some batches without their bodies, ordered by lesson."""
    return store.query(
        "SELECT * EXCLUDE (body) FROM lessons WHERE batch IN (SELECT unnest(?::VARCHAR[]))"
        " ORDER BY lesson_id",
        [list(batches)],
    )


def evidence_of_skill(store: Store, skill: str) -> pl.DataFrame:
    """Rows of `evidence` of a skill's lessons, ordered by lesson, trace and step."""
    return store.query(
        "SELECT evidence.* FROM evidence JOIN lessons USING (lesson_id, batch) WHERE skill = ?"
        " ORDER BY lesson_id, evidence.trace_id, first_step, last_step, quote",
        [skill],
    )


def clusters_of_skill(store: Store, skill: str) -> list[Cluster]:
    """The clusters of the latest consolidation of a skill, ordered by id."""
    rows = store.query("SELECT body FROM clusters WHERE skill = ? ORDER BY cluster_id", [skill])
    return [Cluster.model_validate_json(body) for body in rows["body"]]


def conflicts_of_skill(store: Store, skill: str) -> pl.DataFrame:
    """Rows of `conflicts` of the latest consolidation of a skill."""
    return store.query("SELECT * FROM conflicts WHERE skill = ? ORDER BY winner, loser", [skill])


def rules_of_skill(store: Store, skill: str) -> pl.DataFrame:
    """Rows of `rules` of the published version of a skill, in reading order."""
    return store.query(
        "SELECT * FROM rules WHERE skill = ? ORDER BY path <> 'SKILL.md', path, first_line, rule_id", [skill]
    )


def versions_of_skill(store: Store, skill: str) -> pl.DataFrame:
    """Rows of `versions` of a skill, oldest first."""
    return store.query("SELECT * FROM versions WHERE skill = ? ORDER BY created_at, version", [skill])


def batch_stages(store: Store) -> pl.DataFrame:
    """Rows of `batch_stages`, ordered by skill, batch and stage (`traces` first)."""
    return store.query("SELECT * FROM batch_stages ORDER BY skill, batch, stage DESC")


def quarantine_rows(store: Store, batches: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of `quarantine`, of some batches or of all, ordered by batch and place."""
    return store.query(
        "SELECT * FROM quarantine WHERE $batches IS NULL OR list_contains($batches::VARCHAR[], batch)"
        " ORDER BY batch, uri, reason",
        {"batches": None if batches is None else list(batches)},
    )


def calls_known(store: Store, call_ids: Sequence[str]) -> set[str]:
    """Which of these model calls are noted already."""
    rows = store.query(
        "SELECT DISTINCT call_id FROM llm_calls WHERE call_id IN (SELECT unnest(?::VARCHAR[]))",
        [list(call_ids)],
    )
    return set(rows["call_id"])


def held_rows(store: Store, batches: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of `held` that nobody has released, of some batches or of all, ordered by trace and step."""
    return store.query(
        "SELECT * FROM held WHERE trace_id NOT IN (SELECT trace_id FROM releases)"
        " AND ($batches IS NULL OR list_contains($batches::VARCHAR[], batch))"
        " ORDER BY trace_id, step_id, kind",
        {"batches": None if batches is None else list(batches)},
    )


def refused_lesson_rows(store: Store, batches: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of `refused_lessons`, of some batches or of all, ordered by batch, trace and analyst."""
    return store.query(
        "SELECT * FROM refused_lessons"
        " WHERE $batches IS NULL OR list_contains($batches::VARCHAR[], batch)"
        " ORDER BY batch, trace_id, analyst, text",
        {"batches": None if batches is None else list(batches)},
    )


def status_counts(store: Store) -> pl.DataFrame:
    """One row per skill: traces by outcome, what was quarantined and made, and the published version."""
    return store.query(
        """
        WITH skills AS (
            SELECT skill FROM traces UNION SELECT skill FROM quarantine
            UNION SELECT skill FROM clusters UNION SELECT skill FROM versions
        ),
        outcomes AS (
            SELECT skill, count(*) AS traces,
                   count(*) FILTER (status = 'success') AS success,
                   count(*) FILTER (status = 'failure') AS failure,
                   count(*) FILTER (status = 'partial') AS partial,
                   count(*) FILTER (status = 'error') AS error,
                   count(*) FILTER (status = 'unknown') AS unknown,
                   count(DISTINCT task_id) AS tasks
            FROM traces GROUP BY skill
        ),
        aside AS (SELECT skill, count(*) AS quarantined FROM quarantine GROUP BY skill),
        taught AS (SELECT skill, count(*) AS lessons FROM lessons GROUP BY skill),
        merged AS (SELECT skill, count(*) AS clusters FROM clusters GROUP BY skill),
        said AS (SELECT skill, count(DISTINCT rule_id) AS rules FROM rules GROUP BY skill),
        current_version AS (
            SELECT skill, arg_max(version, created_at) AS version FROM versions WHERE published GROUP BY skill
        )
        SELECT skill, coalesce(traces, 0) AS traces, coalesce(tasks, 0) AS tasks,
               coalesce(success, 0) AS success, coalesce(failure, 0) AS failure,
               coalesce(partial, 0) AS partial, coalesce(error, 0) AS error,
               coalesce(unknown, 0) AS unknown, coalesce(quarantined, 0) AS quarantined,
               coalesce(lessons, 0) AS lessons, coalesce(clusters, 0) AS clusters,
               coalesce(rules, 0) AS rules, version
        FROM skills
        LEFT JOIN outcomes USING (skill) LEFT JOIN aside USING (skill) LEFT JOIN taught USING (skill)
        LEFT JOIN merged USING (skill) LEFT JOIN said USING (skill) LEFT JOIN current_version USING (skill)
        ORDER BY skill
        """
    )


def traces_named(store: Store, name: str) -> pl.DataFrame:
    """Rows of `traces`, headers left out, that a person may mean: by the beginning of the trace's id, or
    by where it came from, whole or from any folder on (`a.jsonl#L5`).
    """
    return store.query(
        "SELECT * EXCLUDE (header) FROM traces WHERE starts_with(trace_id, $name) OR uri = $name"
        " OR ends_with(uri, '/' || $name) ORDER BY trace_id <> $name, trace_id",
        {"name": name},
    )


def _record(row: dict[str, Any], bodies: Sequence[str]) -> TraceRecord:
    """The record of a `traces` row (with header) and the bodies of its steps in order."""
    # One parse of one document is several times faster than one per step.
    document = f'{row["header"][:-1]},"steps":[{",".join(bodies)}]}}'
    return TraceRecord(
        trace_id=row["trace_id"],
        skill=row["skill"],
        task_id=row["task_id"],
        trial=row["trial"],
        agent=row["agent"],
        source=Source(
            format=row["format"],
            format_version=row["format_version"],
            uri=row["uri"],
            sha256=row["sha256"],
            warnings=tuple(row["warnings"]),
        ),
        outcome=Outcome(
            status=row["status"],
            reward=row["reward"],
            source=row["outcome_source"],
            infra_error=row["infra_error"],
            detail=row["outcome_detail"],
        ),
        usage=Usage(
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cached_tokens=row["cached_tokens"],
            cost_usd=row["cost_usd"],
        ),
        trajectory=Trajectory.model_validate_json(document),
    )
