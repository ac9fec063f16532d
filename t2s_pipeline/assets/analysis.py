"""From trace records to lessons."""

import dagster as dg

from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.analysts.version import lessons_version
from t2s_pipeline.assets.ingest import traces
from t2s_pipeline.assets.landing import Landing, finished, landed
from t2s_pipeline.assets.metadata import lessons_metadata
from t2s_pipeline.assets.partitions import trace_batches
from t2s_pipeline.assets.team import GROUP, MODEL_ENDPOINT, OWNERS, RETRY_WHEN_BUSY
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.settings import Settings

lessons = dg.AssetKey("lessons")


def lessons_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset as these settings have it: they decide its version, and whether it asks a model."""

    @dg.asset(
        key=lessons,
        partitions_def=trace_batches,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[traces],
        group_name=GROUP,
        code_version=lessons_version(settings),
        pool=MODEL_ENDPOINT if settings.engine == "llm" else None,
        kinds={"python", "duckdb"},
        owners=OWNERS,
        tags={"stage": "lessons"},
        retry_policy=RETRY_WHEN_BUSY,
    )
    def what_traces_teach(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Landing:
        """What each trace teaches: one row per lesson, with the verbatim quote that shows it.

        A trace that cannot be analysed is recorded with its reason and does not fail its batch.
        """
        reports = finished(
            context,
            lambda keys: analyse_batches(
                pipeline.store, pipeline.settings, keys, pipeline.progress("lessons")
            ),
        )
        yield from landed(context, lessons_metadata(pipeline, reports))

    return what_traces_teach
