"""Settings of the test run as a whole."""

import os

import hypothesis
import pytest

# A run is repeatable by default: the same code gives the same verdict. `HYPOTHESIS_PROFILE=explore` looks
# for new examples.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure(config: pytest.Config) -> None:
    """pytest resets the warning filters for every test, so the ones of `t2s_pipeline.assets` are repeated."""
    for category in ("BetaWarning", "PreviewWarning", "SupersessionWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::dagster.{category}")
