"""What must hold of each result. The measuring is in `quality`; a check turns it into a verdict."""

import dagster as dg

from t2s_pipeline import quality
from t2s_pipeline.assets.analysis import lessons
from t2s_pipeline.assets.consolidation import merged_clusters, skill_directory
from t2s_pipeline.assets.ingest import traces
from t2s_pipeline.assets.partitions import skills, trace_batches
from t2s_pipeline.assets.verdicts import listed, verdict_per_batch
from t2s_pipeline.pipeline import Pipeline

MIN_PARSE_RATE = 0.95
"""Below this share of readable traces a person should look at the quarantine."""


@dg.asset_check(asset=traces, partitions_def=trace_batches)
def parse_rate(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.AssetCheckResult:
    """At least 95 % of what the files of the batch hold could be read. The rest is in quarantine."""
    rates = quality.parse_rates(pipeline.store, context.partition_keys)
    return verdict_per_batch(
        context, "parse_rate", {key: _parse_rate_verdict(rate) for key, rate in rates.items()}
    )


def _parse_rate_verdict(rate: quality.ParseRate) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=rate.share >= MIN_PARSE_RATE,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{rate.read} read, {rate.quarantined} quarantined",
        metadata={"share": rate.share, "read": rate.read, "quarantined": rate.quarantined},
    )


@dg.asset_check(asset=lessons, partitions_def=trace_batches)
def grounded_evidence(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.AssetCheckResult:
    """Every quote of every lesson is found verbatim in the trace steps it names."""
    grounding = quality.grounding(pipeline.store, context.partition_keys)
    return verdict_per_batch(
        context, "grounded_evidence", {key: _grounding_verdict(found) for key, found in grounding.items()}
    )


def _grounding_verdict(grounding: quality.Grounding) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not grounding.missing,
        description=f"{grounding.quotes - len(grounding.missing)} of {grounding.quotes} quotes found",
        metadata={"quotes": grounding.quotes, **listed("missing", grounding.missing)},
    )


@dg.asset_check(asset=merged_clusters, partitions_def=skills)
def every_lesson_accounted_for(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.AssetCheckResult:
    """Lessons in are the evidence of rules and candidates: none is lost on the way, and none counts twice."""
    accounting = quality.accounting(pipeline.store, context.partition_key)
    found = accounting.lessons - len(accounting.lost)
    return dg.AssetCheckResult(
        passed=accounting.holds,
        description=f"{found} of {accounting.lessons} lessons are in clusters",
        metadata={
            "lessons": accounting.lessons,
            "in rules": accounting.placed.get("skill", 0),
            "in references": accounting.placed.get("reference", 0),
            "in candidates": accounting.placed.get("candidate", 0),
            "refused before": accounting.refused,
            **listed("lost", accounting.lost),
        },
    )


@dg.asset_check(asset=skill_directory, partitions_def=skills)
def spec_valid(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.AssetCheckResult:
    """The directory keeps to the Agent Skills specification and to our stricter limits of size."""
    problems = quality.spec_problems(pipeline, context.partition_key)
    return dg.AssetCheckResult(
        passed=not problems,
        description=f"{len(problems)} problems" if problems else "valid",
        metadata={**listed("problems", problems)},
    )


@dg.asset_check(asset=skill_directory, partitions_def=skills)
def lineage_complete(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.AssetCheckResult:
    """Every rule is at the line the store says, word for word, and leads to at least one quote of a trace."""
    lineage = quality.lineage(pipeline, context.partition_key)
    return dg.AssetCheckResult(
        passed=not lineage.broken,
        description=f"{lineage.rules} rules, {len(lineage.broken)} broken",
        metadata={"rules": lineage.rules, **listed("broken", lineage.broken)},
    )


@dg.asset_check(asset=skill_directory, partitions_def=skills)
def nothing_to_decide(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.AssetCheckResult:
    """No rule that a person deleted has much more evidence now. One that has stays out until its line is put
    back.
    """
    proposals = quality.proposals(pipeline, context.partition_key)
    return dg.AssetCheckResult(
        passed=not proposals,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(proposals)} deleted rules have much more evidence now",
        metadata={**listed("to decide on", [item.text for item in proposals])},
    )
