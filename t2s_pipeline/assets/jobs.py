"""The two jobs that sensors and `t2s run` start."""

import dagster as dg

from t2s_pipeline.assets.analysis import lessons
from t2s_pipeline.assets.consolidation import merged_clusters, skill_directory
from t2s_pipeline.assets.ingest import traces

analyse_batch = dg.define_asset_job(
    "analyse_batch",
    selection=dg.AssetSelection.assets(traces, lessons),
    description="Read the traces of one or several batches and learn lessons from each.",
)

consolidate_skill = dg.define_asset_job(
    "consolidate_skill",
    selection=dg.AssetSelection.assets(merged_clusters, skill_directory),
    description="Merge the lessons of a skill and publish its directory.",
    # The event that asked for this run is not seen again, so a crashed run has to be repeated.
    tags={"dagster/max_retries": "2"},
)
