"""The checks of batches as they came in, on a real instance."""

from pathlib import Path

import dagster as dg
import pytest

from t2s_pipeline.assets.partitions import TRACE_BATCHES, range_tags
from t2s_pipeline.definitions import build_definitions
from t2s_pipeline.outstanding import plan_inbox
from t2s_pipeline_tests.assets.builders import drop, pipeline_in
from t2s_pipeline_tests.test_intake import HOSTILE

pytestmark = pytest.mark.slow

CHECKS = {
    "known_outcomes",
    "schema_drift",
    "duplicates",
    "truncated_traces",
    "empty_traces",
    "held_traces",
}


def test_each_batch_of_a_range_gets_a_verdict_on_what_came_in(tmp_path: Path) -> None:
    pipeline = pipeline_in(tmp_path, batch_traces=1)
    path = drop(pipeline, "booking", "a.jsonl", range(3))
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("Error: time must be in 24-hour format", HOSTILE)
    lines[2] = lines[2].replace('"reward": 1.0', '"reward": null')
    path.write_text("\n".join(lines) + "\n")

    with dg.DagsterInstance.ephemeral() as instance:
        keys = [batch.key for batch in plan_inbox(pipeline)]
        instance.add_dynamic_partitions(TRACE_BATCHES, keys)
        job = build_definitions(pipeline.settings).resolve_job_def("analyse_batch")
        result = job.execute_in_process(
            instance=instance, resources={"pipeline": pipeline}, tags=range_tags(keys)
        )

    found = [one for one in result.get_asset_check_evaluations() if one.check_name in CHECKS]
    failed = {(one.check_name, one.partition) for one in found if not one.passed}
    assert {(one.check_name, one.partition) for one in found} == {
        (name, key) for name in CHECKS for key in (*keys, None)
    }
    assert failed == {
        ("held_traces", keys[1]),
        ("held_traces", None),
        ("known_outcomes", keys[2]),
        ("known_outcomes", None),
    }
    assert {one.severity for one in found if not one.passed} == {dg.AssetCheckSeverity.WARN}
    (held,) = [one for one in found if (one.check_name, one.partition) == ("held_traces", keys[1])]
    assert "override" in str(held.metadata["held traces"].value)
    shown = {str(one.partition): one.metadata for one in result.asset_materializations_for_node("traces")}
    assert [shown[key]["held"].value for key in keys] == [0, 1, 0]
    assert "a.jsonl#L2" in str(shown[keys[1]]["held traces"].value)
