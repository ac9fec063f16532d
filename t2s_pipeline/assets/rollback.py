"""What Dagster is told when a person puts an earlier version of a skill in place with `t2s rollback`."""

from __future__ import annotations

import dagster as dg

from t2s_pipeline.assets.consolidation import skill_directory
from t2s_pipeline.assets.instance import instance_at
from t2s_pipeline.assets.metadata import directory_metadata
from t2s_pipeline.assets.partitions import SKILLS
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills.publish import PublishReport


def report_rollback(pipeline: Pipeline, report: PublishReport) -> None:
    """Record what lies in place now as the newest materialisation of the skill's directory."""
    with instance_at(pipeline.paths) as instance:
        instance.add_dynamic_partitions(SKILLS, [report.skill])
        instance.report_runless_asset_event(rollback_event(pipeline, report))


def rollback_event(pipeline: Pipeline, report: PublishReport) -> dg.AssetMaterialization:
    """The event of a publication, with a description that says it was none."""
    instead_of = f" instead of {report.parent}" if report.parent else ""
    return dg.AssetMaterialization(
        skill_directory.key,
        partition=report.skill,
        description=f"Rolled back: version {report.version}{instead_of}",
        metadata=directory_metadata(pipeline, report),
        tags={"dagster/data_version": report.version},
    )
