"""The graph:

    trace_inbox ──► traces ──► lessons ──► merged_clusters ──► skill_directory
     (files)        └── partition: batch ──┘  └── partition: skill ──┘   ▲
                                                          base_skill ────┘ (files, optional)

`inbox_sensor` turns new files into batches and runs; `lessons_landed` consolidates the skills that new
lessons belong to, and `overdue_skills` those that are behind for another reason. `t2s run` executes the
same two jobs on the same instance.
"""

from __future__ import annotations

import dagster as dg

from t2s_pipeline.assets import checks, intake_checks
from t2s_pipeline.assets.analysis import lessons_asset
from t2s_pipeline.assets.consolidation import base_skill, merged_clusters, skill_directory
from t2s_pipeline.assets.ingest import trace_inbox, traces_asset
from t2s_pipeline.assets.jobs import analyse_batch, consolidate_skill
from t2s_pipeline.assets.resources import PipelineResource
from t2s_pipeline.assets.sensors import inbox_sensor, lessons_landed, overdue_skills
from t2s_pipeline.environment import from_environment
from t2s_pipeline.settings import DataPaths, Settings


def build_definitions(settings: Settings) -> dg.Definitions:
    """The graph over one data root."""
    root = DataPaths(settings.data).root
    return dg.Definitions(
        assets=dg.with_source_code_references(
            [
                trace_inbox,
                traces_asset(settings),
                lessons_asset(settings),
                base_skill,
                merged_clusters,
                skill_directory,
            ]
        ),
        asset_checks=dg.load_asset_checks_from_modules([checks, intake_checks]),
        jobs=[analyse_batch, consolidate_skill],
        sensors=[inbox_sensor, lessons_landed, overdue_skills],
        resources={"pipeline": PipelineResource(data=str(root), engine=settings.engine)},
        # A step in a process of its own costs 3.4 s, in the run's process 0.17 s.
        executor=dg.in_process_executor,
    )


defs = build_definitions(from_environment(Settings))
