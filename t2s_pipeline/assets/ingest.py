"""From files in the inbox to trace records in the store."""

import dagster as dg

from t2s_pipeline.assets.landing import Landing, finished, landed
from t2s_pipeline.assets.metadata import traces_metadata
from t2s_pipeline.assets.partitions import trace_batches
from t2s_pipeline.assets.team import GROUP, OWNERS, RETRY_WHEN_BUSY
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.inbox import load_batch
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline.traces.version import traces_version

trace_inbox = dg.AssetSpec(
    "trace_inbox",
    description="Trace files of any supported format under `data/inbox/<skill>/`, as agents left them. "
    "A sensor sees new files and makes batches of them.",
    group_name=GROUP,
    partitions_def=trace_batches,
    kinds={"file"},
    owners=OWNERS,
)


traces = dg.AssetKey("traces")


def traces_asset(settings: Settings) -> dg.AssetsDefinition:
    """The asset as these settings have it: they decide its version."""

    @dg.asset(
        key=traces,
        partitions_def=trace_batches,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[trace_inbox],
        group_name=GROUP,
        code_version=traces_version(settings),
        kinds={"python", "duckdb"},
        owners=OWNERS,
        tags={"stage": "traces"},
        retry_policy=RETRY_WHEN_BUSY,
    )
    def what_was_read(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Landing:
        """One record per execution: its steps in ATIF form, its outcome, its cost, and where it came from.

        Secrets are replaced before anything else reads the text. What cannot be read goes to quarantine with
        the file, the place and the reason.
        """
        reports = finished(
            context,
            lambda keys: ingest_batches(
                pipeline.store,
                pipeline.paths,
                pipeline.settings,
                [load_batch(pipeline.paths, key) for key in keys],
                pipeline.progress("traces"),
            ),
        )
        yield from landed(context, traces_metadata(pipeline, reports))

    return what_was_read
