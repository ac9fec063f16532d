"""`t2s plan`: what the model will be asked and what it will cost, before anything is asked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.by_model import attempts_at_task
from t2s_pipeline.analysts.llm.planning import Plan, plan_run
from t2s_pipeline.environment import from_environment
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.outstanding import plan_inbox, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store import queries
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.ingest import ingest_batches


class RunPlan(BaseModel):
    """What `t2s run --engine llm` would do now. The object that `t2s plan --json` prints."""

    model_config = ConfigDict(frozen=True)

    batches: int
    held: int
    """Traces that wait for a person and are not read."""
    plan: Plan


def plan(pipeline: Pipeline, *, skill: str | None = None) -> RunPlan:
    """Estimate the calls, tokens and dollars of the next run with the `llm` engine.

    The new traces are read into a scratch store to be measured; nothing of the data root changes but the
    list of planned batches. Replies that are already paid for are counted as if they were not.

    Raises:
        T2SError: a setting of the endpoint makes no sense.
    """
    plan_inbox(pipeline)
    batches = [batch for batch in unfinished_batches(pipeline) if skill in (None, batch.skill)]
    with tempfile.TemporaryDirectory(prefix="t2s-plan-") as scratch:
        store = Store(DataPaths(Path(scratch)))
        ingest_batches(store, pipeline.paths, pipeline.settings, batches)
        keys = [batch.key for batch in batches]
        held = set(queries.held_rows(store, keys)["trace_id"])
        records = (record for record in queries.trace_records(store, keys) if record.trace_id not in held)
        estimate = plan_run(records, attempts_at_task(store, held), from_environment(LLMSettings))
    return RunPlan(batches=len(batches), held=len(held), plan=estimate)
