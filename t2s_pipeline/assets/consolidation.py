"""From the lessons of a skill to its published directory."""

from datetime import UTC, datetime

import dagster as dg

from t2s_pipeline.analysts.analyse import analyse_skill
from t2s_pipeline.analysts.merger import merger_of
from t2s_pipeline.assets.analysis import lessons
from t2s_pipeline.assets.metadata import clusters_metadata, directory_metadata
from t2s_pipeline.assets.partitions import skills
from t2s_pipeline.assets.team import GROUP, OWNERS, RETRY_WHEN_BUSY
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.consolidation.version import CLUSTERS_VERSION
from t2s_pipeline.outstanding import (
    DIRECTORY_VERSION,
    clusters_made_from,
    inputs_of,
    record_made,
)
from t2s_pipeline.pipeline import Pipeline, one_at_a_time
from t2s_pipeline.skills.publish import publish_skill

base_skill = dg.AssetSpec(
    "base_skill",
    description="A skill written by people, under `data/base/<skill>/`, which the pipeline deepens. Without "
    "one the skill is written from scratch.",
    group_name=GROUP,
    partitions_def=skills,
    kinds={"file", "markdown"},
    owners=OWNERS,
)


@dg.asset(
    partitions_def=skills,
    # A skill rests on the lessons of all its batches, whichever they are.
    deps=[dg.AssetDep(lessons, partition_mapping=dg.AllPartitionMapping())],
    group_name=GROUP,
    code_version=CLUSTERS_VERSION,
    kinds={"python", "duckdb"},
    owners=OWNERS,
    tags={"stage": "clusters"},
    retry_policy=RETRY_WHEN_BUSY,
)
def merged_clusters(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[None]:
    """Lessons that say the same thing, with their support; contradictions are decided by evidence.

    First come the contrasts that need every trace of the skill: what separates success from failure among
    attempts at the same task.
    """
    skill = context.partition_key
    with one_at_a_time(pipeline, skill), merger_of(pipeline.store, pipeline.settings, skill) as merger:
        inputs = inputs_of(pipeline, skill)
        contrasts = analyse_skill(pipeline.store, pipeline.settings, skill)
        report = consolidate_skill(pipeline.store, pipeline.settings, skill, merger)
        record_made(pipeline, "clusters", inputs)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(inputs.digest), metadata=clusters_metadata(pipeline, report, contrasts)
    )


@dg.asset(
    partitions_def=skills,
    deps=[merged_clusters, base_skill],
    group_name=GROUP,
    code_version=DIRECTORY_VERSION,
    kinds={"python", "markdown"},
    owners=OWNERS,
    tags={"stage": "directory"},
    retry_policy=RETRY_WHEN_BUSY,
)
def skill_directory(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[None]:
    """The Agent Skill that agents load: SKILL.md and references, every rule followed back to trace steps.

    Written as a new version beside the others and swapped in whole; edits made by hand are kept.
    """
    skill = context.partition_key
    with one_at_a_time(pipeline, skill):
        inputs = clusters_made_from(pipeline, skill)
        report = publish_skill(
            pipeline.store, pipeline.paths, pipeline.settings, skill, now=datetime.now(tz=UTC)
        )
        record_made(pipeline, "directory", inputs)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(report.version), metadata=directory_metadata(pipeline, report)
    )
