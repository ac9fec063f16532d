"""What a model has taught of traces that are analysed again without asking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from t2s_pipeline.analysts.grounding import grounded
from t2s_pipeline.analysts.lesson import Lesson, RefusedLesson
from t2s_pipeline.store import queries
from t2s_pipeline.store.store import Store
from t2s_pipeline.store.taught import model_lessons


def taught_before(
    store: Store, batches: Sequence[str], traces: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, list[Lesson]], list[RefusedLesson]]:
    """The lessons a model has taught of the given traces (rows of the store by id), by batch, and those that
    do not hold any more: a quote may have been hidden or read in another way since.

    Task and outcome are those the trace has now.
    """
    kept: dict[str, list[Lesson]] = {}
    refused: list[RefusedLesson] = []
    said = [(batch, lesson) for batch, lesson in model_lessons(store, batches) if lesson.trace_id in traces]
    shown = {
        (evidence.trace_id, step)
        for _, lesson in said
        for evidence in lesson.evidence
        for step in range(evidence.first_step, evidence.last_step + 1)
    }
    steps = {place: orjson.loads(body) for place, body in queries.step_bodies(store, shown).items()}
    for batch, lesson in said:
        trace = traces[lesson.trace_id]
        update = {"task_id": trace["task_id"], "outcome": trace["status"]}
        holds, dropped = grounded([lesson.model_copy(update=update)], lambda *place: steps.get(place))
        kept.setdefault(batch, []).extend(holds)
        refused += dropped
    return kept, refused
