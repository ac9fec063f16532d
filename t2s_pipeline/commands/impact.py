"""`t2s impact`: what rests on a trace, from its lessons to the lines of the published skill."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.commands.naming import trace_named
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills.lineage import RuleAt, explain
from t2s_pipeline.store import lineage


class Quoted(BaseModel):
    """Words of the trace that a lesson rests on."""

    model_config = ConfigDict(frozen=True)

    first_step: int
    last_step: int
    quote: str


class Taught(BaseModel):
    """One lesson that quotes the trace."""

    model_config = ConfigDict(frozen=True)

    lesson_id: str
    analyst: str
    kind: str
    when: str
    do: str
    quotes: tuple[Quoted, ...]


class Resting(BaseModel):
    """A cluster that lessons of the trace are in, and the rules that say it."""

    model_config = ConfigDict(frozen=True)

    skill: str
    cluster_id: str
    advice: str
    placement: str
    reason: str
    traces: int
    """All the traces behind the cluster, this one included."""
    tasks: int
    rules: tuple[RuleAt, ...]
    """Where the published skill says it; nothing for a candidate."""
    lessons: tuple[Taught, ...]


class Impact(BaseModel):
    """The object that `t2s impact --json` prints."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    source_uri: str
    skill: str
    task_id: str | None
    outcome: str
    lessons: int
    rests: tuple[Resting, ...]
    """What is said in the skill first."""
    waiting: tuple[Taught, ...]
    """Lessons that came after the last consolidation."""


def impact(pipeline: Pipeline, name: str) -> Impact:
    """What rests on the trace with that id (its beginning is enough) or that source.

    Raises:
        TraceError: no trace, or more than one, answers to the name.
    """
    trace = trace_named(pipeline, name)
    quoted = lineage.lessons_of_trace(pipeline.store, trace["trace_id"]).to_dicts()
    rows = lineage.impact(pipeline.store, trace["trace_id"]).to_dicts()
    places = _places(pipeline, rows)
    clusters = {row["cluster_id"]: row for row in rows}
    return Impact(
        trace_id=trace["trace_id"],
        source_uri=trace["uri"],
        skill=trace["skill"],
        task_id=trace["task_id"],
        outcome=trace["status"],
        lessons=len({row["lesson_id"] for row in quoted}),
        rests=tuple(
            Resting(
                skill=row["skill"],
                cluster_id=cluster_id,
                advice=row["headline"],
                placement=row["placement"],
                reason=row["reason"],
                traces=row["traces"],
                tasks=row["tasks"],
                rules=places.get(cluster_id, ()),
                lessons=_taught([one for one in quoted if one["cluster_id"] == cluster_id]),
            )
            for cluster_id, row in clusters.items()
        ),
        waiting=_taught([row for row in quoted if row["cluster_id"] not in clusters]),
    )


def _places(pipeline: Pipeline, rows: list[dict[str, Any]]) -> dict[str, tuple[RuleAt, ...]]:
    """By cluster, the rules that say it and where they are now: a person may have moved a line since."""
    said = [row for row in rows if row["rule_id"] is not None]
    files = {pipeline.paths.skills / row["skill"] / row["path"] for row in said}
    now = {rule.rule_id: rule for file in files if file.is_file() for rule in explain(file).rules}
    places: dict[str, tuple[RuleAt, ...]] = {}
    for row in said:
        as_written = RuleAt(
            rule_id=row["rule_id"], path=row["path"], line=row["first_line"], text=row["text"]
        )
        rule = now.get(row["rule_id"], as_written)
        places[row["cluster_id"]] = (*places.get(row["cluster_id"], ()), rule)
    return places


def _taught(quoted: list[dict[str, Any]]) -> tuple[Taught, ...]:
    lessons: dict[str, list[dict[str, Any]]] = {}
    for row in quoted:
        lessons.setdefault(row["lesson_id"], []).append(row)
    return tuple(
        Taught(
            lesson_id=lesson_id,
            analyst=rows[0]["analyst"],
            kind=rows[0]["kind"],
            when=rows[0]["when_"],
            do=rows[0]["do_"],
            quotes=tuple(
                Quoted(first_step=row["first_step"], last_step=row["last_step"], quote=row["quote"])
                for row in rows
            ),
        )
        for lesson_id, rows in lessons.items()
    )
