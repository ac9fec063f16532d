"""What a model says the traces of some batches teach: the fleet, given what the store holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path

import orjson
import polars as pl

from t2s_pipeline.analysts.llm.assignment import Siblings
from t2s_pipeline.analysts.llm.fleet import FleetReport, analyse_traces
from t2s_pipeline.analysts.llm.leaks import OtherTasks
from t2s_pipeline.environment import from_environment
from t2s_pipeline.errors import EndpointError
from t2s_pipeline.llm.cache import ReplyCache, replies_in
from t2s_pipeline.llm.calls import CallRow
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store import frames, queries
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.record import TraceRecord

TASKS_IN_MEMORY = 64
"""Tasks kept at hand for comparison."""


def endpoint_settings() -> LLMSettings:
    """How to reach the model.

    Raises:
        EndpointError: neither a key nor an address is set.
        T2SError: a setting of the endpoint makes no sense.
    """
    settings = from_environment(LLMSettings)
    if not settings.configured:
        raise EndpointError(
            "The llm engine needs a model endpoint and none is set. Set OPENAI_BASE_URL (any "
            "OpenAI-compatible server) or OPENAI_API_KEY, and T2S_MODEL; or run without --engine llm."
        )
    return settings


def read_by_model(
    store: Store,
    settings: Settings,
    batches: Sequence[str],
    held: Collection[str],
    progress: Callable[[int], None],
) -> FleetReport:
    """Have the fleet read every trace of the batches that nothing holds back."""
    records = [record for record in queries.trace_records(store, batches) if record.trace_id not in held]
    # Whether a constant belongs to one task only shows in other tasks, which may be in other batches.
    elsewhere = [
        record
        for skill in sorted({record.skill for record in records})
        for record in queries.records_of_many_tasks(store, skill, TASKS_IN_MEMORY)
    ]
    return analyse_traces(
        records,
        attempts_at_task(store, held),
        endpoint_settings(),
        model_cache(settings),
        progress,
        elsewhere=OtherTasks(elsewhere),
    )


def attempts_at_task(store: Store, held: Collection[str]) -> Siblings:
    """The other attempts at the task of a trace, from the store."""

    @lru_cache(maxsize=TASKS_IN_MEMORY)
    def attempts(skill: str, task_id: str) -> tuple[TraceRecord, ...]:
        return tuple(r for r in queries.records_of_task(store, skill, task_id) if r.trace_id not in held)

    def siblings(record: TraceRecord) -> Sequence[TraceRecord]:
        if record.task_id is None:
            return ()
        return [r for r in attempts(record.skill, record.task_id) if r.trace_id != record.trace_id]

    return siblings


def model_cache(settings: Settings) -> Path:
    """Folder of what is known of models: their replies, their endpoints, what was spent."""
    return DataPaths(settings.data).cache


def reply_cache(settings: Settings) -> ReplyCache:
    """The replies that were paid for."""
    return replies_in(model_cache(settings))


def store_calls(store: Store, calls: Sequence[CallRow], what: str) -> None:
    """Note the calls that were made, once: calls are history and are never replaced by later ones.

    `what` is the batch, or `skill:<name>` for merges.
    """
    # A reply from storage costs nothing now. It is noted only when the run that paid for it was killed
    # before it could note it.
    known = queries.calls_known(store, [row.call_id for row in calls if row.from_cache])
    made = [row.model_dump() for row in calls if not row.from_cache or row.call_id not in known]
    if not made:
        return
    digest = hashlib.sha256(orjson.dumps([what, made], option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    scope = f"{what}@{digest}"
    rows: pl.DataFrame = frames.frame("llm_calls", ({**row, "batch": scope} for row in made))
    store.stage({"batch": scope}, {"llm_calls": rows})
