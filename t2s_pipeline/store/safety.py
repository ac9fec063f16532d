"""What the rules of safety ask the store: what was hidden, what agents ran themselves, who waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson
import polars as pl

from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.record import string_leaves

_TRACES_AT_A_TIME = 2_000
"""Traces whose calls are looked through in one query: bounds memory."""


def known_fingerprints(store: Store) -> frozenset[str]:
    """Fingerprints of everything that was redacted, in any trace of any skill."""
    return frozenset(store.query("SELECT DISTINCT fingerprint FROM redactions")["fingerprint"])


def commands_of_successes(store: Store, skill: str, words: Sequence[str]) -> Iterator[list[str]]:
    """What agents ran themselves in successful traces of a skill, piece by piece: the names of the tools
    they called, and the strings in the arguments.

    Only steps in which one of `words` occurs are looked at, in any case of letters. Held traces and those
    spoilt by their environment do not count.
    """
    traces = store.query(
        "SELECT trace_id FROM traces WHERE skill = ? AND status = 'success' AND NOT infra_error"
        " AND trace_id NOT IN (SELECT trace_id FROM held WHERE trace_id NOT IN"
        " (SELECT trace_id FROM releases)) ORDER BY trace_id",
        [skill],
    )["trace_id"].to_list()
    for start in range(0, len(traces), _TRACES_AT_A_TIME):
        rows = store.query(
            "SELECT DISTINCT json_extract(body, '$.tool_calls')::VARCHAR AS calls FROM steps"
            " WHERE source = 'agent' AND trace_id IN (SELECT unnest($traces::VARCHAR[]))"
            " AND len(list_filter($words::VARCHAR[], lambda word: contains(lower(body), word))) > 0",
            {
                "traces": traces[start : start + _TRACES_AT_A_TIME],
                "words": [word.lower() for word in words],
            },
        )
        found = (orjson.loads(calls) for calls in rows["calls"].drop_nulls())
        calls = [call for calls in found for call in calls]
        yield [call["function_name"] for call in calls] + [
            text for call in calls for text in string_leaves(call["arguments"])
        ]


def held_traces(store: Store, batches: Sequence[str] | None = None) -> pl.DataFrame:
    """One row per trace that waits for a person: where it came from, and every reason with its place."""
    return store.query(
        "SELECT trace_id, held.batch, held.skill, any_value(uri) AS uri,"
        " list(kind || ' (' || place || ', step ' || step_id || '): ' || excerpt"
        " ORDER BY step_id, kind) AS reasons"
        " FROM held JOIN traces USING (trace_id)"
        " WHERE held.batch = traces.batch AND trace_id NOT IN (SELECT trace_id FROM releases)"
        " AND ($batches IS NULL OR list_contains($batches::VARCHAR[], held.batch))"
        " GROUP BY trace_id, held.batch, held.skill ORDER BY held.skill, uri, trace_id",
        {"batches": None if batches is None else list(batches)},
    )


def source_of_traces(store: Store, skill: str) -> dict[str, str]:
    """The file each trace of a skill comes from, by trace id."""
    rows = store.query(
        "SELECT trace_id, split_part(uri, '#', 1) AS file FROM traces WHERE skill = ?", [skill]
    )
    return dict(rows.iter_rows())


def traces_to_forget(store: Store, trace_ids: Sequence[str]) -> pl.DataFrame:
    """One row per trace with what has to be known of it afterwards, ordered by skill and place: `session`
    where no other trace of its file has it, the ids of the `lessons` that quote it, and `copies`, traces of
    the same bytes under other ids.
    """
    return store.query(
        """
        WITH named AS (
            SELECT trace_id, skill, batch, uri, split_part(uri, '#', 1) AS file, sha256,
                   header ->> '$.session_id' AS session
            FROM traces
        ),
        known AS (
            SELECT *, count(*) OVER (PARTITION BY skill, file, session) AS sharing FROM named
        ),
        taught AS (
            SELECT trace_id, list(DISTINCT lesson_id ORDER BY lesson_id) AS lessons
            FROM evidence GROUP BY trace_id
        )
        SELECT trace_id, skill, batch, uri, file, if(sharing = 1, session, NULL) AS session,
               coalesce(lessons, []) AS lessons,
               (SELECT coalesce(list(other.trace_id || ' (skill ' || other.skill || ')'
                                     ORDER BY other.skill, other.trace_id), [])
                FROM named AS other
                WHERE other.sha256 = known.sha256
                  AND NOT list_contains($ids::VARCHAR[], other.trace_id)) AS copies
        FROM known LEFT JOIN taught USING (trace_id)
        WHERE list_contains($ids::VARCHAR[], trace_id)
        ORDER BY skill, uri, trace_id
        """,
        {"ids": list(trace_ids)},
    )


def outdated_counts(store: Store, skills: Sequence[str]) -> pl.DataFrame:
    """Rows of `batch_stages` of some skills that count traces or lessons which are not there any more, with
    the counts of today.
    """
    return store.query(
        """
        WITH waiting AS (
            SELECT DISTINCT trace_id FROM held WHERE trace_id NOT IN (SELECT trace_id FROM releases)
        ),
        here AS (
            SELECT batch, count(*) AS read,
                   count(*) FILTER (NOT infra_error AND trace_id NOT IN (FROM waiting)) AS teaching
            FROM traces GROUP BY batch
        ),
        taught AS (SELECT batch, count(*) AS said FROM lessons GROUP BY batch),
        today AS (
            SELECT stage.* EXCLUDE (traces, lessons),
                   stage.traces AS old_traces, stage.lessons AS old_lessons,
                   coalesce(if(stage = 'traces', read, teaching), 0)::INTEGER AS traces,
                   if(stage = 'traces', 0, coalesce(said, 0))::INTEGER AS lessons
            FROM batch_stages AS stage LEFT JOIN here USING (batch) LEFT JOIN taught USING (batch)
            WHERE skill IN (SELECT unnest(?::VARCHAR[])) AND stage IN ('traces', 'lessons')
        )
        SELECT * EXCLUDE (old_traces, old_lessons) FROM today
        WHERE traces < old_traces OR lessons < old_lessons
        ORDER BY batch, stage
        """,
        [list(skills)],
    )
