"""What is stored of batches as they came in: outcomes, drift, duplicates, and traces that lack something."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.format import DRIFT, OPEN_CALL

ENDING_CALLS = "(?i)finish|submit|complete|done|exit|end|stop|answer|final|transfer|terminate"
"""Names of calls that end a run, so that no result comes after them."""


def traces_of_intake(store: Store, batches: Sequence[str]) -> pl.DataFrame:
    """One row per trace of some batches, ordered by batch and place: `unknown` (no outcome), `truncated` (a
    call has no result, other than one that ends the run), `empty` (the agent does nothing) and `drift`, the
    warnings about keys the importer does not know.
    """
    return store.query(
        """
        WITH ends AS (
            SELECT trace_id, arg_max(body, step_id) AS body, bool_or(source = 'agent') AS acted
            FROM steps WHERE batch IN (SELECT unnest($batches::VARCHAR[])) GROUP BY trace_id
        )
        SELECT batch, trace_id, uri, status = 'unknown' AS unknown,
               list_contains(warnings, $open_call) OR (
                   coalesce(json_array_length(body, '$.tool_calls'), 0) > 0
                   AND coalesce(json_array_length(body, '$.observation.results'), 0) = 0
                   AND NOT regexp_matches(body ->> '$.tool_calls[#-1].function_name', $ending_calls)
               ) AS truncated,
               NOT coalesce(acted, false) AS empty,
               list_filter(warnings, lambda warning: starts_with(warning, $drift)) AS drift
        FROM traces LEFT JOIN ends USING (trace_id)
        WHERE batch IN (SELECT unnest($batches::VARCHAR[]))
        ORDER BY batch, uri, trace_id
        """,
        {
            "batches": list(batches),
            "open_call": OPEN_CALL,
            "ending_calls": ENDING_CALLS,
            "drift": DRIFT,
        },
    )


def refused_as_incomplete(store: Store, batches: Sequence[str]) -> pl.DataFrame:
    """Rows of `quarantine` of some batches for records that were cut off (`truncated`) or held nothing
    (`empty`), ordered by batch and place.
    """
    return store.query(
        """
        SELECT batch, uri, contains(reason, 'truncated') AS truncated,
               regexp_matches(reason, 'has no steps|holds no records') AS empty
        FROM quarantine
        WHERE batch IN (SELECT unnest(?::VARCHAR[])) AND (truncated OR empty)
        ORDER BY batch, uri
        """,
        [list(batches)],
    )


def learnt_marks(store: Store) -> dict[str, str]:
    """Per skill, a mark that changes when a trace, its outcome or a lesson of a batch does, also where every
    count stays the same.
    """
    rows = store.query(
        """
        WITH outcome AS (
            SELECT skill, bit_xor(hash(trace_id, status, reward, infra_error)) AS mark
            FROM traces GROUP BY skill
        ),
        lesson AS (
            SELECT skill, bit_xor(hash(lesson_id, batch)) AS mark
            FROM lessons WHERE NOT starts_with(batch, 'skill:') GROUP BY skill
        )
        SELECT skill, concat_ws('-', outcome.mark, coalesce(lesson.mark, 0)) AS mark
        FROM outcome LEFT JOIN lesson USING (skill)
        """
    )
    return dict(rows.iter_rows())
