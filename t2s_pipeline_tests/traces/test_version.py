"""The version of what files are read as."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces import version
from t2s_pipeline.traces.version import traces_version, why_read_again

PLAIN = traces_version(Settings())


@pytest.mark.parametrize(
    "changed",
    [
        {"reward_key": "score"},
        {"success_reward": 0.5},
        {"redaction": {"personal": []}},
        {"redaction": {"keep": ["help@example.org"]}},
        {"max_record_mb": 1},
    ],
)
def test_settings_that_decide_what_is_read_change_the_version(changed: dict[str, object]) -> None:
    settings = Settings.model_validate(changed)

    assert traces_version(settings) != PLAIN
    assert why_read_again(PLAIN, settings) == "settings that decide how traces are read have changed"


def test_other_settings_do_not() -> None:
    settings = Settings(workers=1, batch_traces=3, min_tasks=9, engine="llm")

    assert why_read_again(PLAIN, settings) is None


def test_other_importers_and_other_rules_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "_CODE", "0" * 12)

    assert why_read_again(PLAIN, Settings()) == "the code that reads traces has changed"
    assert why_read_again("1", Settings()) == "the code that reads traces has changed"


def test_the_same_settings_have_the_same_version_in_every_process() -> None:
    code = (
        "from t2s_pipeline.settings import Settings; from t2s_pipeline.traces.version import traces_version;"
        "print(traces_version(Settings()).partition('-')[2])"
    )

    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }

    assert found == {PLAIN.partition("-")[2]}
