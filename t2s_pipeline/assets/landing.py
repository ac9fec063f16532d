"""A run over several batches: what is finished stays, whatever happens to the rest."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import dagster as dg
import polars as pl

from t2s_pipeline.assets.metadata import Metadata

Report = TypeVar("Report")

Landing = Iterator[dg.MaterializeResult[None] | dg.AssetMaterialization]
"""What an asset over batches yields."""

_OF_ONE_BATCH = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pl.exceptions.PolarsError,
)
"""What odd data makes our code raise. A `T2SError` is not among them: a busy or damaged store concerns
every batch alike, and the run fails and is repeated as a whole.
"""


def finished(
    context: dg.AssetExecutionContext, work: Callable[[Sequence[str]], Mapping[str, Report]]
) -> Mapping[str, Report]:
    """The reports of `work` on all batches of the run at once; when that fails, of each batch that works
    on its own. What failed is in the run's log.
    """
    keys = context.partition_keys
    try:
        return work(keys)
    except _OF_ONE_BATCH:
        if len(keys) == 1:
            context.log.error(f"batch {keys[0]} failed\n{traceback.format_exc()}")
            return {}
        context.log.warning(f"a batch failed; trying each on its own\n{traceback.format_exc()}")
    reports: dict[str, Report] = {}
    for key in keys:
        try:
            reports.update(work([key]))
        except _OF_ONE_BATCH:
            context.log.error(f"batch {key} failed\n{traceback.format_exc()}")
    return reports


def landed(context: dg.AssetExecutionContext, reports: Mapping[str, Metadata]) -> Landing:
    """The events of an asset whose core function reported on each batch it finished.

    Raises:
        dg.Failure: a batch of the run has no report. Those that have one are materialised first, because
            Dagster otherwise drops or keeps a range as a whole.
    """
    missing = [key for key in context.partition_keys if key not in reports]
    if not missing:
        for key, metadata in reports.items():
            context.add_asset_metadata(metadata, partition_key=key)
        yield dg.MaterializeResult()
        return
    for key, metadata in reports.items():
        # Yielded and not logged: what is only logged is lost when the asset fails (Dagster 1.13).
        yield dg.AssetMaterialization(asset_key=context.asset_key, partition=key, metadata=metadata)
    raise dg.Failure(
        f"{len(missing)} of {len(context.partition_keys)} batches failed: {', '.join(missing)}. "
        "The log of the run has the cause.",
        allow_retries=False,
    )
