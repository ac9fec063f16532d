"""What should hold of a batch as it came in. All are warnings: the batch is learnt from either way, except
for its held traces. The measuring is in `intake`; a check turns it into a verdict.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg

from t2s_pipeline.assets.ingest import traces
from t2s_pipeline.assets.metadata import held_table
from t2s_pipeline.assets.partitions import trace_batches
from t2s_pipeline.assets.verdicts import listed, verdict_per_batch
from t2s_pipeline.intake import Intake, intake_of_batches
from t2s_pipeline.pipeline import Pipeline

MIN_KNOWN_OUTCOMES = 0.5
"""Below this share of traces that say how they ended, there is little to tell good habits from bad by."""


def _known_outcomes(batch: Intake) -> dg.AssetCheckResult:
    known = batch.traces - batch.unknown_outcomes
    return _verdict(
        batch.known_outcomes >= MIN_KNOWN_OUTCOMES,
        f"{known} of {batch.traces} traces say how they ended",
        share=batch.known_outcomes,
        unknown=batch.unknown_outcomes,
    )


def _schema_drift(batch: Intake) -> dg.AssetCheckResult:
    warnings = [f"{warning} ({count} traces)" for warning, count in batch.drift.items()]
    return _verdict(
        not batch.drift,
        f"{batch.drifting} traces have keys no importer knows" if batch.drift else "every key is known",
        traces=batch.drifting,
        keys=len(batch.drift),
        **listed("unknown", warnings),
    )


def _duplicates(batch: Intake) -> dg.AssetCheckResult:
    return _verdict(
        not batch.duplicates, f"{batch.duplicates} records were there before", duplicates=batch.duplicates
    )


def _truncated(batch: Intake) -> dg.AssetCheckResult:
    return _counted(batch.truncated, "end in the middle")


def _empty(batch: Intake) -> dg.AssetCheckResult:
    return _counted(batch.empty, "hold nothing an agent did")


def _held(batch: Intake) -> dg.AssetCheckResult:
    metadata = {"held traces": held_table(batch.held)} if batch.held else {}
    return _verdict(
        not batch.held, f"{len(batch.held)} wait for `t2s release-trace`", held=len(batch.held), **metadata
    )


_CHECKS: Mapping[str, tuple[str, Callable[[Intake], dg.AssetCheckResult]]] = {
    "known_outcomes": ("At least half of the traces say how they ended.", _known_outcomes),
    "schema_drift": ("The importers know every key: else a tool may have changed its format.", _schema_drift),
    "duplicates": ("Nothing in the batch was read before.", _duplicates),
    "truncated_traces": ("No trace ends in the middle.", _truncated),
    "empty_traces": ("In every trace an agent does something.", _empty),
    "held_traces": ("No trace waits for a person because it speaks to its reader.", _held),
}


# One step for all of them: a step of its own costs each check 0.17 s.
@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(name, asset=traces, description=description, partitions_def=trace_batches)
        for name, (description, _) in _CHECKS.items()
    ]
)
def intake_checks(
    context: dg.AssetCheckExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> Iterator[dg.AssetCheckResult]:
    """Outcomes, drift, duplicates, and traces that lack something or are held."""
    measured = intake_of_batches(pipeline.store, context.partition_keys)
    for name, (_, verdict) in _CHECKS.items():
        yield verdict_per_batch(context, name, {key: verdict(batch) for key, batch in measured.items()})


def _counted(places: Sequence[str], what: str) -> dg.AssetCheckResult:
    return _verdict(not places, f"{len(places)} {what}", found=len(places), **listed("where", places))


def _verdict(
    passed: bool, description: str, **metadata: float | dg.TableMetadataValue
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.WARN, description=description, metadata=metadata
    )
