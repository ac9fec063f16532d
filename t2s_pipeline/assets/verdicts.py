"""How a check tells its verdict: on the one batch of a run, or on each batch of a range and on all."""

from collections.abc import Mapping, Sequence

import dagster as dg

from t2s_pipeline.assets.metadata import table

_SHOWN = 20
"""Findings listed with a verdict."""


def verdict_per_batch(
    context: dg.AssetCheckExecutionContext, check: str, results: Mapping[str, dg.AssetCheckResult]
) -> dg.AssetCheckResult:
    """The verdict of a check on the partition of the run; in a run over several, one for each and one on all.

    Dagster 1.13 attributes a returned result to a partition only when the run has exactly one.
    """
    spec = next(spec for spec in context.check_specs if spec.name == check)
    if context.has_partition_key and context.partition_key in results:
        return _of(spec, results[context.partition_key])
    for key, result in results.items():
        evaluation = dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            partition=key,
            passed=result.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
        )
        # Accepted by Dagster 1.13, though its type hint does not say so.
        context.op_execution_context.log_event(evaluation)  # type: ignore[arg-type]
    failed = [f"{key}: {result.description}" for key, result in results.items() if not result.passed]
    on_all = dg.AssetCheckResult(
        passed=not failed,
        severity=max(
            (result.severity for result in results.values() if not result.passed),
            key=[dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR].index,
            default=dg.AssetCheckSeverity.WARN,
        ),
        description=f"{len(results) - len(failed)} of {len(results)} batches pass",
        metadata=listed("failed", failed),
    )
    return _of(spec, on_all)


def listed(name: str, findings: Sequence[str]) -> dict[str, dg.TableMetadataValue]:
    """The first findings as a table under that name; nothing when there are none."""
    if not findings:
        return {}
    return {name: table([{"finding": finding} for finding in findings[:_SHOWN]])}


def _of(spec: dg.AssetCheckSpec, result: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """The result under the name of its check, which a step with several checks has to tell."""
    return result._replace(check_name=spec.name, asset_key=spec.asset_key)
