"""From files in the inbox to trace records in the store."""

import dagster as dg

from t2s_pipeline.assets.landing import Landing, finished, landed
from t2s_pipeline.assets.metadata import traces_metadata
from t2s_pipeline.assets.partitions import trace_batches
from t2s_pipeline.assets.team import OWNERS, RETRY_WHEN_BUSY
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.traces.batch_content import TRACES_VERSION
from t2s_pipeline.traces.inbox import load_batch
from t2s_pipeline.traces.ingest import ingest_batches

trace_inbox = dg.AssetSpec(
    "trace_inbox",
    description="Trace files of any supported format under `data/inbox/<skill>/`, as agents left them. "
    "A sensor sees new files and makes batches of them.",
    group_name="ingest",
    partitions_def=trace_batches,
    kinds={"file"},
    owners=OWNERS,
)


@dg.asset(
    partitions_def=trace_batches,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[trace_inbox],
    group_name="ingest",
    code_version=TRACES_VERSION,
    kinds={"python", "duckdb"},
    owners=OWNERS,
    tags={"stage": "traces"},
    retry_policy=RETRY_WHEN_BUSY,
)
def traces(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Landing:
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
