"""Running the two jobs in this process, on the same instance the UI shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import uuid4

import dagster as dg

from t2s_pipeline.assets.instance import instance_at
from t2s_pipeline.assets.liveness import (
    IN_PROCESS_TAG,
    UNDER_WAY,
    alive,
    settle_dead_runs,
    unfinished_runs,
)
from t2s_pipeline.assets.partitions import SKILLS, TRACE_BATCHES, contiguous_ranges, range_tags
from t2s_pipeline.assets.sensors import base_events, inbox_event
from t2s_pipeline.definitions import build_definitions
from t2s_pipeline.outstanding import unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.traces.inbox import Batch

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Keeps Dagster's event log off the screen; the UI has it."""


class Executor:
    """Executes jobs on one Dagster instance. Failures come back as sentences; what was finished stays."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def analyse(self, pipeline: Pipeline, batches: Sequence[Batch]) -> list[str]:
        """Read and analyse batches: one run for each contiguous range of batches of a skill, and, where
        that fails, one for each batch that is still unfinished: one of them spoilt the range.
        """
        registered = self._register(batches)
        by_skill: dict[str, set[str]] = {}
        for batch in batches:
            by_skill.setdefault(batch.skill, set()).add(batch.key)
        failures: list[str] = []
        for wanted in by_skill.values():
            for keys in contiguous_ranges(registered, wanted):
                if self._analyse(pipeline, keys) is not None:
                    left = {batch.key for batch in unfinished_batches(pipeline)}.intersection(keys)
                    again = (self._analyse(pipeline, [key]) for key in sorted(left))
                    failures += [failure for failure in again if failure is not None]
        return failures

    def runs_under_way(self) -> list[str]:
        """Ids of the runs that are working now, in whichever process."""
        return [
            record.dagster_run.run_id
            for record in unfinished_runs(self._instance)
            if record.dagster_run.status in UNDER_WAY
        ]

    def consolidate(self, pipeline: Pipeline, skill: str) -> str | None:
        """Merge the lessons of a skill and publish its directory."""
        self._instance.add_dynamic_partitions(SKILLS, [skill])
        for event in base_events(pipeline, [skill]):
            self._instance.report_runless_asset_event(event)
        return self._run(pipeline, "consolidate_skill", f"skill {skill}", partition_key=skill)

    def _analyse(self, pipeline: Pipeline, keys: Sequence[str]) -> str | None:
        what = f"batch {keys[0]}" if len(keys) == 1 else f"batches {keys[0]} to {keys[-1]}"
        return self._run(pipeline, "analyse_batch", what, tags=range_tags(keys))

    def _register(self, batches: Sequence[Batch]) -> Sequence[str]:
        known = set(self._instance.get_dynamic_partitions(TRACE_BATCHES))
        new = [batch for batch in batches if batch.key not in known]
        self._instance.add_dynamic_partitions(TRACE_BATCHES, [batch.key for batch in new])
        for batch in new:
            self._instance.report_runless_asset_event(inbox_event(batch))
        return self._instance.get_dynamic_partitions(TRACE_BATCHES)

    def _run(
        self,
        pipeline: Pipeline,
        job: str,
        what: str,
        *,
        tags: Mapping[str, str] | None = None,
        partition_key: str | None = None,
    ) -> str | None:
        run_id = str(uuid4())
        with alive(pipeline.paths, run_id):
            result = (
                build_definitions(pipeline.settings)
                .resolve_job_def(job)
                .execute_in_process(
                    instance=self._instance,
                    resources={"pipeline": pipeline},
                    partition_key=partition_key,
                    tags={**(tags or {}), IN_PROCESS_TAG: "true"},
                    run_id=run_id,
                    run_config=_QUIET,
                    raise_on_error=False,
                )
            )
        return None if result.success else f"{what}: {_reason(result)}"


@contextmanager
def executor(paths: DataPaths, *, now: datetime) -> Iterator[Executor]:
    """An executor on the instance of a data root; runs that were killed are settled first."""
    with instance_at(paths) as instance:
        settle_dead_runs(instance, paths, now=now)
        yield Executor(instance)


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """The message of the error at the root of the first failed step."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return error.message.strip() if error is not None else "a step failed without a message"
    return "the run did not start"
