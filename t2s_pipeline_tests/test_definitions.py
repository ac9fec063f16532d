"""The graph as Dagster's server sees it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from t2s_pipeline.analysts.version import lessons_version
from t2s_pipeline.assets.team import MODEL_ENDPOINT
from t2s_pipeline.definitions import build_definitions
from t2s_pipeline.settings import Engine, Settings
from t2s_pipeline.traces.version import traces_version

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(Settings(data=tmp_path_factory.mktemp("data")))


@pytest.mark.slow
def test_the_definitions_load_the_way_the_server_loads_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "--workspace"]

    checked = subprocess.run(
        [*command, str(ROOT / "workspace.yaml")],
        cwd=tmp_path,
        env={"PATH": "", "DAGSTER_HOME": str(tmp_path), "T2S_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "BetaWarning" not in checked.stderr


def test_the_graph_is_the_one_the_design_draws(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }

    assert parents == {
        "trace_inbox": set(),
        "base_skill": set(),
        "traces": {"trace_inbox"},
        "lessons": {"traces"},
        "merged_clusters": {"lessons"},
        "skill_directory": {"merged_clusters", "base_skill"},
    }


def test_every_asset_says_what_it_is_and_whose_it_is(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description
        assert node.owners
        assert node.kinds
        assert node.group_name == "trace2skill"
        assert node.partitions_def is not None
        assert node.code_version or node.is_external


def test_assets_have_the_version_of_the_settings_they_are_built_from(tmp_path: Path) -> None:
    """Not of the environment in which the module was imported."""

    def versions(**given: Any) -> dict[str, str | None]:
        graph = build_definitions(Settings(data=tmp_path, **given)).resolve_asset_graph()
        return {name: graph.get(dg.AssetKey(name)).code_version for name in ("traces", "lessons")}

    plain, by_model = versions(engine="statistical"), versions(engine="llm")
    rewarded = versions(engine="statistical", reward_key="score")

    assert by_model["lessons"] == lessons_version(Settings(engine="llm")) != plain["lessons"]
    assert by_model["traces"] == plain["traces"]
    assert rewarded["traces"] == traces_version(Settings(reward_key="score")) != plain["traces"]


@pytest.mark.parametrize(
    ("engine", "pools"), [("statistical", set()), ("auto", set()), ("llm", {MODEL_ENDPOINT})]
)
def test_only_a_step_that_asks_a_model_waits_for_its_turn(
    tmp_path: Path, engine: Engine, pools: set[str]
) -> None:
    job = build_definitions(Settings(data=tmp_path, engine=engine)).resolve_job_def("analyse_batch")

    assert {pool for op in job.all_node_defs for pool in op.pools} == pools


def test_every_result_has_a_check(definitions: dg.Definitions) -> None:
    checks = definitions.resolve_asset_graph().asset_check_keys

    assert {(key.asset_key.to_user_string(), key.name) for key in checks} == {
        ("traces", "parse_rate"),
        ("traces", "known_outcomes"),
        ("traces", "schema_drift"),
        ("traces", "duplicates"),
        ("traces", "truncated_traces"),
        ("traces", "empty_traces"),
        ("traces", "held_traces"),
        ("lessons", "grounded_evidence"),
        ("merged_clusters", "every_lesson_accounted_for"),
        ("skill_directory", "spec_valid"),
        ("skill_directory", "lineage_complete"),
        ("skill_directory", "nothing_to_decide"),
    }


def test_the_sensors_run_without_being_switched_on(definitions: dg.Definitions) -> None:
    sensors = {sensor.name: sensor for sensor in definitions.sensors or ()}

    assert set(sensors) == {"inbox_sensor", "lessons_landed", "overdue_skills"}
    for sensor in sensors.values():
        assert isinstance(sensor, dg.SensorDefinition)
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
