"""The Dagster instance that is set up without a word of configuration."""

from pathlib import Path

from t2s_pipeline.assets.instance import dagster_home, instance_at
from t2s_pipeline.settings import DataPaths


def test_the_instance_sends_nothing_home_and_limits_its_runs(tmp_path: Path) -> None:
    with instance_at(DataPaths(tmp_path)) as instance:
        concurrency = instance.get_concurrency_config()

        assert instance.telemetry_enabled is False
        assert instance.nux_enabled is False
        assert instance.run_retries_enabled
        assert concurrency.run_queue_config is not None
        assert concurrency.run_queue_config.max_concurrent_runs == 2
        assert concurrency.pool_config.default_pool_limit == 1


def test_a_configuration_that_a_person_changed_is_kept(tmp_path: Path) -> None:
    home = dagster_home(DataPaths(tmp_path))
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")

    dagster_home(DataPaths(tmp_path))

    assert (home / "dagster.yaml").read_text(encoding="utf-8") == "telemetry:\n  enabled: false\n"
