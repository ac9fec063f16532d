"""What `t2s ui` tells the processes it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.commands.ui import dagster_environment
from t2s_pipeline.llm.budget import process_scope
from t2s_pipeline.settings import DataPaths, Settings


@pytest.mark.parametrize(
    ("named", "scope"), [(None, process_scope()), ("july", "july")], ids=["unnamed", "named"]
)
def test_all_runs_of_one_ui_spend_one_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, scope: str
) -> None:
    if named is None:
        monkeypatch.delenv("T2S_BUDGET_SCOPE", raising=False)
    else:
        monkeypatch.setenv("T2S_BUDGET_SCOPE", named)

    told = dagster_environment(Settings(data=tmp_path, engine="llm"), DataPaths(tmp_path), tmp_path / "home")

    assert told["T2S_BUDGET_SCOPE"] == scope
    assert (told["T2S_ENGINE"], told["T2S_DATA"]) == ("llm", str(tmp_path))
