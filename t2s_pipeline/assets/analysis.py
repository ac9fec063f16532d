"""From trace records to lessons."""

import dagster as dg

from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.analysts.version import analysts_version
from t2s_pipeline.assets.ingest import traces
from t2s_pipeline.assets.landing import Landing, finished, landed
from t2s_pipeline.assets.metadata import lessons_metadata
from t2s_pipeline.assets.partitions import trace_batches
from t2s_pipeline.assets.team import MODEL_ENDPOINT, OWNERS, RETRY_WHEN_BUSY
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.settings import Settings


@dg.asset(
    partitions_def=trace_batches,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[traces],
    group_name="analysis",
    code_version=analysts_version(Settings().engine),
    pool=MODEL_ENDPOINT,
    kinds={"python", "duckdb"},
    owners=OWNERS,
    tags={"stage": "lessons"},
    retry_policy=RETRY_WHEN_BUSY,
)
def lessons(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Landing:
    """What each trace teaches: one row per lesson, with the verbatim quote that shows it.

    A trace that cannot be analysed is recorded with its reason and does not fail its batch.
    """
    reports = finished(
        context,
        lambda keys: analyse_batches(pipeline.store, pipeline.settings, keys, pipeline.progress("lessons")),
    )
    yield from landed(context, lessons_metadata(pipeline, reports))
