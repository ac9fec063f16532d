"""What a model taught, what it could not be asked, and what asking it has cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.store.store import Store


@dataclass(frozen=True)
class Spent:
    """Model calls that were paid for, since the store was made."""

    calls: int = 0
    tokens: int = 0
    """Of prompts and replies, as far as the endpoint counted them."""
    usd: float = 0.0
    """Of the calls whose price is known."""
    priced: int = 0
    """Calls whose price is known."""

    def since(self, before: Spent) -> Spent:
        """What has come after."""
        return Spent(
            calls=self.calls - before.calls,
            tokens=self.tokens - before.tokens,
            usd=self.usd - before.usd,
            priced=self.priced - before.priced,
        )


def model_lessons(store: Store, batches: Sequence[str]) -> list[tuple[str, Lesson]]:
    """The lessons a model has taught of the traces of some batches, each with its batch, ordered by id."""
    rows = store.query(
        "SELECT batch, body FROM lessons WHERE engine = 'llm'"
        " AND batch IN (SELECT unnest(?::VARCHAR[])) ORDER BY lesson_id, batch",
        [list(batches)],
    )
    return [(batch, Lesson.model_validate_json(body)) for batch, body in rows.iter_rows()]


def failures(store: Store) -> pl.DataFrame:
    """Rows of `analysis_failures` with the place (`uri`) of the trace, ordered by skill, place and analyst.
    What is about no trace (the words of rules) has no place.
    """
    return store.query(
        "SELECT failed.*, uri FROM analysis_failures AS failed LEFT JOIN traces USING (trace_id)"
        " ORDER BY failed.skill, uri, trace_id, analyst, reason"
    )


def refused_lessons(store: Store) -> pl.DataFrame:
    """Rows of `refused_lessons` with the place (`uri`) of the trace, ordered by skill, place and text."""
    return store.query(
        "SELECT refused.*, uri FROM refused_lessons AS refused LEFT JOIN traces USING (trace_id)"
        " ORDER BY refused.skill, uri, trace_id, analyst, text"
    )


def spent(store: Store) -> Spent:
    """What was paid for so far: answers from the cache do not count, nor calls that nobody answered."""
    rows = store.query(
        "SELECT count(*) AS calls, coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0)"
        " AS tokens, coalesce(sum(cost_usd), 0) AS usd, count(cost_usd) AS priced"
        " FROM llm_calls WHERE NOT from_cache"
        " AND status IN ('ok', 'invalid', 'truncated', 'refused', 'empty')"
    )
    calls, tokens, usd, priced = rows.row(0)
    return Spent(calls=int(calls), tokens=int(tokens), usd=float(usd), priced=int(priced))
