"""Dagster's daemon, as far as sensors notice it."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from t2s_pipeline.assets.partitions import PARTITION_TAG, TRACE_BATCHES, keys_of_run
from t2s_pipeline.definitions import build_definitions
from t2s_pipeline.pipeline import Pipeline


class Daemon:
    """Ticks a sensor as Dagster's daemon does: it stores the cursor that the tick ended with, registers
    partitions and events, drops requests with a run key that had a run, and queues a run for the others."""

    def __init__(self, pipeline: Pipeline, instance: dg.DagsterInstance, sensor: dg.SensorDefinition) -> None:
        self._definitions = build_definitions(pipeline.settings)
        self._pipeline = pipeline
        self._instance = instance
        self._sensor = sensor
        self._cursor: str | None = None
        self._keys: set[str] = set()
        self.requested: list[str] = []
        """Partitions, or first partitions of a range, that got a run."""
        self.events: list[str] = []
        """Asset and partition of each event."""
        self.skipped: str | None = None
        """Why the last tick started nothing."""

    def tick(self) -> list[dg.DagsterRun]:
        """The runs that one tick queues."""
        with dg.build_sensor_context(
            instance=self._instance,
            instance_ref=self._instance.get_ref(),
            cursor=self._cursor,
            definitions=self._definitions,
            resources={"pipeline": self._pipeline},
        ) as context:
            result = self._sensor.evaluate_tick(context)
        self._cursor = result.cursor
        self.skipped = result.skip_message
        for event in result.asset_events:
            self._instance.report_runless_asset_event(event)
            self.events.append(f"{event.asset_key.to_user_string()}:{event.partition}")
        for added in result.dynamic_partitions_requests or ():
            self._instance.add_dynamic_partitions(added.partitions_def_name, list(added.partition_keys))
        return [run for request in result.run_requests or () for run in self._queued(request)]

    def _queued(self, request: dg.RunRequest) -> Iterator[dg.DagsterRun]:
        if request.run_key in self._keys:
            return
        if request.run_key is not None:
            self._keys.add(request.run_key)
        partition = {PARTITION_TAG: request.partition_key} if request.partition_key else {}
        tags = {**request.tags, **partition}
        self.requested.append(tags.get(PARTITION_TAG) or covered(tags, self._instance)[0])
        yield self._instance.create_run_for_job(
            job_def=self._definitions.resolve_job_def(str(self._sensor.job_name)),
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags=tags,
        )

    def restart_with(self, pipeline: Pipeline) -> None:
        """Other settings; the cursor stays."""
        self._pipeline = pipeline

    def start_next(self) -> dg.DagsterRun | None:
        """Begin the oldest queued run; it has not read anything when this returns."""
        queued = self._instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED]))
        if not queued:
            return None
        run = queued[-1]
        self._instance.delete_run(run.run_id)
        return run

    def work_off(self, run: dg.DagsterRun) -> None:
        """What a consolidation does."""
        job = self._definitions.resolve_job_def(run.job_name)
        assert job.execute_in_process(
            instance=self._instance,
            resources={"pipeline": self._pipeline},
            partition_key=run.tags[PARTITION_TAG],
        ).success


def covered(tags: dict[str, str], instance: dg.DagsterInstance) -> list[str]:
    return keys_of_run(tags, instance.get_dynamic_partitions(TRACE_BATCHES))
