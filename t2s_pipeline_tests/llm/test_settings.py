from __future__ import annotations

import pytest

from t2s_pipeline.llm.settings import LLMSettings


@pytest.fixture(autouse=True)
def _no_endpoint_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_MODEL",
        "T2S_BASE_URL",
        "T2S_API_KEY",
        "T2S_MODEL",
    ):
        monkeypatch.delenv(name, raising=False)


def test_the_usual_variables_name_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("T2S_MODEL", "small")
    monkeypatch.setenv("T2S_BUDGET_USD", "2.5")

    settings = LLMSettings()

    assert settings.base_url == "http://127.0.0.1:8080/v1"
    assert settings.model == "small"
    assert settings.budget_usd == 2.5
    assert settings.configured
    assert "sk-secret" not in repr(settings)


def test_an_empty_variable_is_like_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")

    assert LLMSettings().api_key is None
    assert not LLMSettings().configured


def test_readings_are_named_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2S_READINGS", "conditional_rules, action_sequences")

    assert LLMSettings().readings == ("conditional_rules", "action_sequences")


def test_arguments_come_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere/v1")

    assert LLMSettings(base_url="http://here/v1").base_url == "http://here/v1"
