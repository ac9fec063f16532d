"""Settings of the test run as a whole."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """pytest resets the warning filters for every test, so the ones of `t2s_pipeline.assets` are repeated."""
    for category in ("BetaWarning", "PreviewWarning", "SupersessionWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::dagster.{category}")
