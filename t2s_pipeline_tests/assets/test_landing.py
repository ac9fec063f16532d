"""A run over batches, one of which cannot be worked on."""

from collections.abc import Mapping, Sequence

import dagster as dg
import pytest

from t2s_pipeline.assets.landing import Landing, finished, landed

pytestmark = pytest.mark.slow

BATCHES = dg.StaticPartitionsDefinition(["a", "b", "c"])


@pytest.mark.parametrize(
    ("keys", "calls"),
    [(["b"], [["b"]]), (["a", "b", "c"], [["a", "b", "c"], ["a"], ["b"], ["c"]]), (["c"], [["c"]])],
)
def test_what_failed_together_is_tried_apart_and_what_failed_alone_is_not_tried_again(
    keys: list[str], calls: list[list[str]]
) -> None:
    worked_on: list[list[str]] = []

    def work(batches: Sequence[str]) -> Mapping[str, int]:
        worked_on.append(list(batches))
        if "b" in batches:
            raise ValueError("odd data")
        return dict.fromkeys(batches, 1)

    @dg.asset(partitions_def=BATCHES, backfill_policy=dg.BackfillPolicy.single_run())
    def result(context: dg.AssetExecutionContext) -> Landing:
        reports = finished(context, work)
        yield from landed(context, {key: {"count": dg.MetadataValue.int(n)} for key, n in reports.items()})

    run = dg.materialize(
        [result],
        tags={
            "dagster/asset_partition_range_start": keys[0],
            "dagster/asset_partition_range_end": keys[-1],
        },
        raise_on_error=False,
    )

    assert worked_on == calls
    assert run.success == ("b" not in keys)
    assert {event.partition for event in run.asset_materializations_for_node("result")} == {*keys} - {"b"}
