"""Models as rows: frames with exactly the columns and types of their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic_core import PydanticSerializationError

from t2s_pipeline.analysts.lesson import Lesson, RefusedLesson
from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.store.tables import table
from t2s_pipeline.traces.record import Quarantined, TraceRecord


def frame(name: str, rows: Iterable[Mapping[str, Any]] = ()) -> pl.DataFrame:
    """Rows of a table; a column a row does not have is empty in it.

    Raises:
        ValueError: there is no such table, or a row has a column the table does not have.
    """
    columns = table(name).columns
    given = list(rows)
    for row in given:
        if not row.keys() <= columns.keys():
            raise ValueError(f"table {name} has no columns {sorted(row.keys() - columns.keys())}")
    return pl.DataFrame(
        [_series(column, [row.get(column) for row in given], kind) for column, kind in columns.items()]
    )


def trace_frames(
    records: Iterable[TraceRecord],
    batch: str,
    refused: Callable[[TraceRecord, str], None] | None = None,
) -> dict[str, pl.DataFrame]:
    """`traces` and `steps` rows of a batch.

    A record that cannot be written as JSON (nested hundreds of levels deep) is given to `refused` with the
    reason; without it the error is raised.
    """
    traces: list[dict[str, Any]] = []
    trace_ids: list[str] = []
    step_ids: list[int] = []
    sources: list[str] = []
    bodies: list[str] = []
    for record in records:
        steps = record.trajectory.steps
        try:
            written = [step.model_dump_json(exclude_none=True) for step in steps]
            row = _trace_row(record, batch)
        except PydanticSerializationError as error:
            if refused is None:
                raise
            refused(record, f"cannot be written as JSON: {error}")
            continue
        traces.append(row)
        trace_ids += [record.trace_id] * len(steps)
        step_ids += [step.step_id for step in steps]
        sources += [step.source for step in steps]
        bodies += written
    steps_frame = pl.DataFrame(
        {
            "trace_id": trace_ids,
            "batch": [batch] * len(trace_ids),
            "step_id": step_ids,
            "source": sources,
            "body": bodies,
        },
        schema=dict(table("steps").columns),
    )
    return {"traces": frame("traces", traces), "steps": steps_frame}


def quarantine_frame(items: Iterable[Quarantined], batch: str) -> pl.DataFrame:
    """`quarantine` rows of a batch."""
    return frame("quarantine", ({**item.model_dump(), "batch": batch} for item in items))


def batch_stage_frame(
    *,
    batch: str,
    skill: str,
    stage: str,
    code_version: str,
    traces: int = 0,
    duplicates: int = 0,
    quarantined: int = 0,
    lessons: int = 0,
    refused: int = 0,
) -> pl.DataFrame:
    """The `batch_stages` row that says a stage of a batch is done."""
    row = {
        "batch": batch,
        "skill": skill,
        "stage": stage,
        "code_version": code_version,
        "traces": traces,
        "duplicates": duplicates,
        "quarantined": quarantined,
        "lessons": lessons,
        "refused": refused,
    }
    return frame("batch_stages", [row])


def lessons_frames(lessons: Iterable[Lesson], batch: str) -> dict[str, pl.DataFrame]:
    """`lessons` and `evidence` rows of a batch."""
    rows: list[dict[str, Any]] = []
    evidence: list[dict[str, Any]] = []
    for lesson in lessons:
        lesson_id = lesson.lesson_id
        rows.append(
            {
                "lesson_id": lesson_id,
                "batch": batch,
                "skill": lesson.skill,
                "trace_id": lesson.trace_id,
                "task_id": lesson.task_id,
                "outcome": lesson.outcome,
                "engine": lesson.engine,
                "analyst": lesson.analyst,
                "kind": lesson.kind,
                "when_": lesson.when,
                "do_": lesson.do,
                "because": lesson.because,
                "body": lesson.model_dump_json(exclude={"lesson_id"}),
            }
        )
        evidence.extend({"lesson_id": lesson_id, "batch": batch, **dict(shown)} for shown in lesson.evidence)
    return {"lessons": frame("lessons", rows), "evidence": frame("evidence", evidence)}


def refused_lessons_frame(refused: Iterable[RefusedLesson], batch: str) -> pl.DataFrame:
    """`refused_lessons` rows of a batch."""
    return frame("refused_lessons", ({**item.model_dump(), "batch": batch} for item in refused))


def clusters_frames(clusters: Sequence[Cluster]) -> dict[str, pl.DataFrame]:
    """`clusters` and `cluster_lessons` rows of a consolidation."""
    rows = [
        {
            "cluster_id": cluster.cluster_id,
            "skill": cluster.skill,
            "kind": cluster.kind,
            "section": cluster.section,
            "placement": cluster.placement,
            "reason": cluster.reason,
            "headline": cluster.text.headline,
            **cluster.support.model_dump(exclude={"effect"}),
            "body": cluster.model_dump_json(),
        }
        for cluster in clusters
    ]
    members = [
        {"cluster_id": cluster.cluster_id, "skill": cluster.skill, "lesson_id": lesson_id}
        for cluster in clusters
        for lesson_id in cluster.lesson_ids
    ]
    return {"clusters": frame("clusters", rows), "cluster_lessons": frame("cluster_lessons", members)}


def _series(name: str, cells: list[Any], kind: pl.DataType) -> pl.Series:
    if isinstance(kind, pl.List):
        # Polars builds a list column cell by cell, some ten times slower.
        return pl.Series(name, pa.array(cells, type=pa.list_(pa.large_string())), dtype=kind)
    return pl.Series(name, cells, dtype=kind)


def _trace_row(record: TraceRecord, batch: str) -> dict[str, Any]:
    steps = record.trajectory.steps
    return {
        "trace_id": record.trace_id,
        "batch": batch,
        "skill": record.skill,
        "task_id": record.task_id,
        "trial": record.trial,
        "agent": record.agent,
        "format": record.source.format,
        "format_version": record.source.format_version,
        "uri": record.source.uri,
        "sha256": record.source.sha256,
        "warnings": list(record.source.warnings),
        "status": record.outcome.status,
        "reward": record.outcome.reward,
        "outcome_source": record.outcome.source,
        "infra_error": record.outcome.infra_error,
        "outcome_detail": record.outcome.detail,
        "input_tokens": record.usage.input_tokens,
        "output_tokens": record.usage.output_tokens,
        "cached_tokens": record.usage.cached_tokens,
        "cost_usd": record.usage.cost_usd,
        "n_steps": len(steps),
        "n_calls": sum(len(step.tool_calls or ()) for step in steps),
        "header": record.trajectory.model_dump_json(exclude={"steps"}, exclude_none=True),
    }
