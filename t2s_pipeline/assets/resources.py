"""What the assets are given: one `Pipeline` with the settings, the paths and the store."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from t2s_pipeline.assets.liveness import alive
from t2s_pipeline.pipeline import Advance, Pipeline, ProgressOf, pipeline_at
from t2s_pipeline.settings import Engine, Settings

_TRACES_PER_LOG_LINE = 500
"""A log line is an event in Dagster's database and costs about 15 ms."""


class PipelineResource(dg.ConfigurableResource[Pipeline]):
    """Creates the `Pipeline` of one data root. Everything else comes from `T2S_…` variables."""

    data: str
    """Root of everything read and produced; absolute."""
    engine: Engine = "auto"

    def create_resource(self, context: dg.InitResourceContext) -> Pipeline:
        """The pipeline; its progress goes to the run's log."""
        settings = Settings(data=Path(self.data), engine=self.engine)
        return pipeline_at(settings, progress=_logged(context.log))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Pipeline, None, None]:
        """The pipeline, with the run marked as alive for as long as it uses it."""
        pipeline = self.create_resource(context)
        if context.run is None:
            yield pipeline
            return
        with alive(pipeline.paths, context.run.run_id):
            yield pipeline


def _logged(log: Any) -> ProgressOf:
    def progress_of(stage: str) -> Advance:
        total = 0

        def advance(done: int) -> None:
            nonlocal total
            lines_before = total // _TRACES_PER_LOG_LINE
            total += done
            if total // _TRACES_PER_LOG_LINE > lines_before:
                log.info(f"{stage}: {total} traces done")

        return advance

    return progress_of
