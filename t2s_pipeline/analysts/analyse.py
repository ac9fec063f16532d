"""Stored traces in, stored lessons out: what the `lessons` and `merged_clusters` assets call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.grounding import grounded
from t2s_pipeline.analysts.lesson import Lesson, RefusedLesson
from t2s_pipeline.analysts.statistical.engine import (
    action_rows,
    contrasts_of_skill,
    lessons_of_run,
    skill_runs,
)
from t2s_pipeline.analysts.statistical.habit_lessons import habit_lessons, shown_steps
from t2s_pipeline.analysts.statistical.runs import Call, run_from_steps
from t2s_pipeline.analysts.taught_before import taught_before
from t2s_pipeline.analysts.version import KEPT, lessons_version
from t2s_pipeline.programs import answers_of_programs
from t2s_pipeline.settings import Settings
from t2s_pipeline.store import frames, queries
from t2s_pipeline.store.store import Store

if TYPE_CHECKING:
    from t2s_pipeline.analysts.llm.fleet import Failure, FleetReport
    from t2s_pipeline.llm.calls import CallRow

BATCHES_AT_A_TIME = 24
BYTES_AT_A_TIME = 64_000_000
"""Batches, and bytes of their steps, read from the store at once: bounds memory, and keeps the number of
queries and loads low. More than this is mined by several processes; for less, starting them takes longer than
it saves."""

_OF_ONE_TRACE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What odd content of a trace makes mining raise; the traces beside it are none the worse for it."""


class AnalysisReport(BaseModel):
    """What came of the traces of one batch."""

    model_config = ConfigDict(frozen=True)

    batch: str
    skill: str
    traces: int
    """Traces read, those that were left out included."""
    excluded: int
    """Not learnt from: spoilt by their environment (`infra_error`), or held until a person releases them."""
    lessons: int
    refused: int
    failed: int = 0
    """Traces that an analyst could not read; the reasons are in `analysis_failures`."""
    model_calls: int = 0
    """Calls made for this batch; replies from storage do not count."""
    tokens_sent: int = 0
    cost_usd: float | None = None
    """Of the calls made; None where the price is unknown or none was made."""
    by_kind: dict[str, int]


class AnalysisOrder(BaseModel):
    """What a process is asked to mine: `python -m t2s_pipeline.analysts.worker`."""

    settings: Settings
    groups: list[list[str]]


@dataclass
class _Findings:
    """What the analysts say about one batch."""

    traces: pl.DataFrame
    excluded: int = 0
    lessons: list[Lesson] = field(default_factory=list)
    refused: list[RefusedLesson] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unread: list[dict[str, str]] = field(default_factory=list)
    """Rows of `analysis_failures` about traces that the statistical analysts cannot read."""
    calls: list[CallRow] = field(default_factory=list)
    kept: bool = False
    """Whether lessons of a model, which was not asked this time, are among them."""


def analyse_batches(
    store: Store,
    settings: Settings,
    batches: Sequence[str],
    progress: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> dict[str, AnalysisReport]:
    """Read every trace of the batches and store actions, lessons and evidence, batch by batch.

    The statistical analysts always read: they cost nothing, and contrasts rest on their actions. With the
    `llm` engine the fleet reads as well; with `auto` what it has taught before stays. Idempotent: a batch's
    rows are replaced.

    Raises:
        EndpointError: the `llm` engine is asked for and no endpoint is set.
    """
    groups = list(_groups(batches, queries.step_bytes(store, batches)))
    reports: dict[str, AnalysisReport] = {}
    if settings.engine != "llm" and settings.workers > 1 and len(groups) > 1:
        reports |= _analysed_by_many(settings, groups, progress)
    for group in groups:
        if not reports.keys() >= set(group):
            reports |= analyse_group(store, settings, group, progress)
    store.load_staged()
    return {batch: reports[batch] for batch in batches}


def _groups(batches: Sequence[str], size_of: Mapping[str, int]) -> Iterator[list[str]]:
    """The batches in runs that are read at once."""
    group: list[str] = []
    size = 0
    for batch in batches:
        more = size_of.get(batch, 0)
        if group and (len(group) == BATCHES_AT_A_TIME or size + more > BYTES_AT_A_TIME):
            yield group
            group, size = [], 0
        group.append(batch)
        size += more
    if group:
        yield group


def _analysed_by_many(
    settings: Settings, groups: Sequence[Sequence[str]], progress: Callable[[int], None]
) -> dict[str, AnalysisReport]:
    """Reports of the groups that worker processes have read: mining is pure Python, and the store takes the
    writes of many processes."""
    count = min(settings.workers, len(groups))
    orders = [
        AnalysisOrder(settings=settings, groups=[list(group) for group in groups[number::count]])
        for number in range(count)
    ]
    reports: dict[str, AnalysisReport] = {}
    for line in answers_of_programs("t2s_pipeline.analysts.worker", orders):
        done = {key: AnalysisReport.model_validate(body) for key, body in orjson.loads(line).items()}
        reports |= done
        progress(sum(report.traces for report in done.values()))
    return reports


def analyse_group(
    store: Store,
    settings: Settings,
    group: Sequence[str],
    progress: Callable[[int], None] = lambda done: None,  # noqa: ARG005
) -> dict[str, AnalysisReport]:
    """Read some batches and stage what they teach."""
    held = set(queries.held_rows(store, group)["trace_id"])
    findings = _mined(store, group, held)
    if settings.engine == "auto":
        _add_taught_before(store, findings, held)
    if settings.engine == "llm":
        # The client of the endpoint takes half a second to import: only where there is one to talk to.
        from t2s_pipeline.analysts.by_model import read_by_model

        _add_read_by_model(findings, read_by_model(store, settings, group, held, progress))
    reports = {batch: _stored(store, settings, batch, found) for batch, found in findings.items()}
    if settings.engine != "llm":
        progress(sum(report.traces for report in reports.values()))
    return reports


def analyse_skill(store: Store, settings: Settings, skill: str) -> int:
    """Compare the attempts at the same tasks over all traces of the skill; returns the lessons stored."""
    held = queries.held_rows(store)["trace_id"].unique()
    traces = queries.traces_of_skill(store, skill).filter(~pl.col("trace_id").is_in(held.implode()))
    runs = skill_runs(traces, queries.actions_of_skill(store, skill))
    findings = contrasts_of_skill(runs, max_fdr=settings.max_fdr, min_strata=settings.min_informative_strata)
    bodies = queries.step_bodies(store, shown_steps(runs, findings))
    steps = {place: orjson.loads(body) for place, body in bodies.items()}

    def calls_of(trace_id: str, step_id: int) -> Sequence[Call]:
        step = steps.get((trace_id, step_id))
        return () if step is None else _calls_of_one(skill, trace_id, step)

    found = habit_lessons(skill, runs, findings, calls_of)
    kept, refused = grounded(found, lambda trace_id, step_id: steps.get((trace_id, step_id)))
    _write(store, f"skill:{skill}", kept, refused, {})
    store.load_staged()
    return len(kept)


def _mined(store: Store, group: Sequence[str], held: Collection[str]) -> dict[str, _Findings]:
    """What the statistical analysts say about some batches."""
    traces, steps = queries.traces_of_batches(store, group), queries.steps_of_batches(store, group)
    bodies = {
        trace_id: [body for _, body in rows]
        for trace_id, rows in groupby(steps.select("trace_id", "body").iter_rows(), key=lambda row: row[0])
    }
    findings = {batch: _Findings(traces.filter(pl.col("batch") == batch)) for batch in group}
    for row in traces.iter_rows(named=True):
        found = findings[row["batch"]]
        if row["infra_error"] or row["trace_id"] in held:
            found.excluded += 1
            continue
        try:
            _mine(row, bodies.get(row["trace_id"], ()), found)
        except _OF_ONE_TRACE as error:
            reason = f"{type(error).__name__}: {error}"[:500]
            about = {"trace_id": row["trace_id"], "analyst": "statistical", "status": "unreadable"}
            found.unread.append({**about, "reason": reason})
    return findings


def _mine(row: Mapping[str, Any], bodies: Sequence[str], found: _Findings) -> None:
    """Add what one trace teaches; nothing of it when anything about it cannot be read."""
    of_trace = [orjson.loads(body) for body in bodies]
    run = run_from_steps(
        of_trace,
        trace_id=row["trace_id"],
        skill=row["skill"],
        task_id=row["task_id"],
        agent=row["agent"],
        outcome=row["status"],
    )
    by_id = {step["step_id"]: step for step in of_trace}
    kept, dropped = grounded(lessons_of_run(run), lambda _, step_id: by_id.get(step_id))
    actions = action_rows(run, row["batch"])
    found.lessons += kept
    found.refused += dropped
    found.actions += actions


def _add_taught_before(store: Store, findings: Mapping[str, _Findings], held: Collection[str]) -> None:
    """Give every batch what a model has taught of its traces before."""
    traces = {
        row["trace_id"]: row
        for found in findings.values()
        for row in found.traces.select("trace_id", "batch", "task_id", "status", "infra_error").to_dicts()
        if not row["infra_error"] and row["trace_id"] not in held
    }
    kept, refused = taught_before(store, list(findings), traces)
    for batch, lessons in kept.items():
        findings[batch].lessons += lessons
        findings[batch].kept = True
    for lesson in refused:
        findings[traces[lesson.trace_id]["batch"]].refused.append(lesson)


def _add_read_by_model(findings: Mapping[str, _Findings], report: FleetReport) -> None:
    """Give every batch what the fleet says about its traces."""
    batch_of = {trace_id: batch for batch, found in findings.items() for trace_id in found.traces["trace_id"]}
    for lesson in report.lessons:
        findings[batch_of[lesson.trace_id]].lessons.append(lesson)
    for refused in report.refused:
        findings[batch_of[refused.trace_id]].refused.append(refused)
    for failure in report.failures:
        findings[batch_of[failure.trace_id]].failures.append(failure)
    first = next(iter(findings))
    for call in report.calls:  # a probe of the endpoint is about no trace
        findings[batch_of.get(call.trace_id or "", first)].calls.append(call)


def _stored(store: Store, settings: Settings, batch: str, found: _Findings) -> AnalysisReport:
    traces = found.traces
    skill = traces["skill"][0] if len(traces) else _skill_of_empty(store, batch)
    failed = {failure.trace_id for failure in found.failures}
    version = lessons_version(settings) + (KEPT if found.kept else "")
    stage = frames.batch_stage_frame(
        batch=batch,
        skill=skill,
        stage="lessons",
        # A batch with failures is not finished: the next run takes it up and pays only for what failed.
        code_version=f"{version}+{len(failed)}-failed" if failed else version,
        traces=len(traces) - found.excluded,
        lessons=len(found.lessons),
        refused=len(found.refused),
    )
    failures = [
        {**failure, "batch": batch, "skill": skill}
        for failure in (*found.unread, *(one.model_dump() for one in found.failures))
    ]
    more = {
        "actions": frames.frame("actions", found.actions),
        "analysis_failures": frames.frame("analysis_failures", failures),
        "batch_stages": stage,
    }
    _write(store, batch, found.lessons, found.refused, more)
    if found.calls:
        from t2s_pipeline.analysts.by_model import store_calls

        store_calls(store, found.calls, batch)
    kinds = [lesson.kind for lesson in found.lessons]
    made = [call for call in found.calls if not call.from_cache]
    costs = [call.cost_usd for call in made if call.cost_usd is not None]
    return AnalysisReport(
        batch=batch,
        skill=skill,
        traces=len(traces),
        excluded=found.excluded,
        lessons=len(found.lessons),
        refused=len(found.refused),
        failed=len(failed | {failure["trace_id"] for failure in found.unread}),
        model_calls=len(made),
        tokens_sent=sum(call.input_tokens or 0 for call in made),
        cost_usd=sum(costs) if costs else None,
        by_kind={kind: kinds.count(kind) for kind in sorted(set(kinds))},
    )


def _skill_of_empty(store: Store, batch: str) -> str:
    """The skill of a batch none of whose records became a trace."""
    stages = queries.batch_stages(store).filter(pl.col("batch") == batch)
    return str(stages["skill"][0]) if len(stages) else ""


def _write(
    store: Store,
    batch: str,
    lessons: Sequence[Lesson],
    refused: Sequence[RefusedLesson],
    more: Mapping[str, pl.DataFrame],
) -> None:
    tables = {
        **frames.lessons_frames(lessons, batch),
        "refused_lessons": frames.refused_lessons_frame(refused, batch),
        **more,
    }
    store.stage({"batch": batch}, tables)


def _calls_of_one(skill: str, trace_id: str, step: Mapping[str, Any]) -> Sequence[Call]:
    run = run_from_steps([step], trace_id=trace_id, skill=skill, task_id=None, agent="", outcome="unknown")
    return run.calls
