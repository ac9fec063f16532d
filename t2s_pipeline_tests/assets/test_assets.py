"""The two jobs on a real instance: what Dagster is told about a run over several batches."""

from pathlib import Path

import dagster as dg
import pytest

from t2s_pipeline.assets import ingest
from t2s_pipeline.assets.partitions import SKILLS, TRACE_BATCHES, range_tags
from t2s_pipeline.definitions import build_definitions
from t2s_pipeline.outstanding import plan_inbox, skills_behind, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.traces.inbox import all_batches
from t2s_pipeline_tests.assets.builders import drop, pipeline_in

pytestmark = pytest.mark.slow  # real processes, or a Dagster run per test


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return pipeline_in(tmp_path, batch_traces=2)


def run_batches(pipeline: Pipeline, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    keys = [batch.key for batch in plan_inbox(pipeline)]
    instance.add_dynamic_partitions(TRACE_BATCHES, keys)
    job = build_definitions(pipeline.settings).resolve_job_def("analyse_batch")
    return job.execute_in_process(
        instance=instance, resources={"pipeline": pipeline}, tags=range_tags(keys), raise_on_error=False
    )


def consolidate(pipeline: Pipeline, instance: dg.DagsterInstance, skill: str) -> dg.ExecuteInProcessResult:
    instance.add_dynamic_partitions(SKILLS, [skill])
    job = build_definitions(pipeline.settings).resolve_job_def("consolidate_skill")
    return job.execute_in_process(
        instance=instance, resources={"pipeline": pipeline}, partition_key=skill, raise_on_error=False
    )


def materialised(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, object]]:
    """Metadata values by partition, of one asset, in partition order."""
    found = sorted(result.asset_materializations_for_node(asset), key=lambda one: str(one.partition))
    return {str(one.partition): {name: value.value for name, value in one.metadata.items()} for one in found}


def test_a_range_run_reports_each_batch_with_its_own_numbers(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(5))

    with dg.DagsterInstance.ephemeral() as instance:
        result = run_batches(pipeline, instance)

    assert result.success
    read = materialised(result, "traces")
    assert [found["traces"] for found in read.values()] == [2, 2, 1]
    assert [found["lessons"] for found in materialised(result, "lessons").values()] == [2, 2, 1]
    assert list(read) == [batch.key for batch in all_batches(pipeline.paths)]


def test_every_batch_of_a_range_gets_its_own_check_results(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(4))

    with dg.DagsterInstance.ephemeral() as instance:
        result = run_batches(pipeline, instance)

    verdicts = [
        (found.check_name, found.partition, found.passed) for found in result.get_asset_check_evaluations()
    ]
    for name in ("parse_rate", "grounded_evidence"):
        assert {partition for check, partition, passed in verdicts if check == name and passed} == {
            "booking.00001.0000",
            "booking.00001.0001",
            None,
        }


def test_a_batch_that_cannot_be_worked_on_does_not_take_the_others_with_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(pipeline, "booking", "a.jsonl", range(6))
    real = ingest.ingest_batches

    def failing(store, paths, settings, batches, progress):  # type: ignore[no-untyped-def]
        if any(batch.key.endswith("0001") for batch in batches):
            raise ValueError("odd data")
        return real(store, paths, settings, batches, progress)

    monkeypatch.setattr(ingest, "ingest_batches", failing)

    with dg.DagsterInstance.ephemeral() as instance:
        result = run_batches(pipeline, instance)
        left = instance.get_status_by_partition(
            dg.AssetKey("traces"), [f"booking.00001.000{n}" for n in range(3)], ingest.trace_batches
        )

    assert not result.success
    assert set(materialised(result, "traces")) == {"booking.00001.0000", "booking.00001.0002"}
    assert left is not None
    assert [status.value if status else None for status in left.values()] == [
        "MATERIALIZED",
        "FAILED",
        "MATERIALIZED",
    ]


def test_a_trace_that_cannot_be_read_does_not_fail_its_batch(pipeline: Pipeline) -> None:
    path = drop(pipeline, "booking", "a.jsonl", range(1))
    with path.open("a") as file:
        file.write('{"messages": [{"role": \n')

    with dg.DagsterInstance.ephemeral() as instance:
        result = run_batches(pipeline, instance)

    (read,) = materialised(result, "traces").values()
    assert result.success
    assert (read["traces"], read["quarantined"]) == (1, 1)
    (verdict, *_) = [
        found for found in result.get_asset_check_evaluations() if found.check_name == "parse_rate"
    ]
    assert not verdict.passed
    assert verdict.severity == dg.AssetCheckSeverity.WARN


def test_a_consolidated_skill_is_shown_with_its_text_rules_and_checks(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(4))

    with dg.DagsterInstance.ephemeral() as instance:
        run_batches(pipeline, instance)
        result = consolidate(pipeline, instance, "booking")

    assert result.success
    (shown,) = materialised(result, "skill_directory").values()
    assert "24-hour format" in str(shown["preview"])
    assert shown["rules"] == 1
    assert Path(str(shown["SKILL.md"])).is_file()
    passed = {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
    assert passed == dict.fromkeys(
        ("every_lesson_accounted_for", "spec_valid", "lineage_complete", "nothing_to_decide"), True
    )
    assert skills_behind(pipeline) == []
    assert unfinished_batches(pipeline) == []


def test_the_same_skill_again_is_the_same_data_version(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(4))

    with dg.DagsterInstance.ephemeral() as instance:
        run_batches(pipeline, instance)
        first = consolidate(pipeline, instance, "booking")
        second = consolidate(pipeline, instance, "booking")

    versions = [
        found.tags["dagster/data_version"]
        for result in (first, second)
        for found in result.asset_materializations_for_node("skill_directory")
        if found.tags
    ]
    assert versions[0] == versions[1]
