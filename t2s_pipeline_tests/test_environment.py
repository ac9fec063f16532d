"""Settings from variables, and mistakes told in the names a person typed."""

from __future__ import annotations

import pytest

from t2s_pipeline.environment import from_environment, unknown_variables
from t2s_pipeline.errors import T2SError
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.settings import Settings


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("T2S_BATCH_TRACES", "many", "T2S_BATCH_TRACES is set to 'many': Input should be a valid integer"),
        ("t2s_min_tasks", "0", "T2S_MIN_TASKS is set to '0'"),
        ("T2S_REDACTION__PERSONAL", '["nope"]', "T2S_REDACTION__PERSONAL is set to 'nope': Input should be"),
        ("T2S_REDACTION__SECRETS", "maybe", "T2S_REDACTION__SECRETS is set to 'maybe'"),
        ("T2S_REDACTION__PERSONL", "[]", "T2S_REDACTION__PERSONL is set to '[]': Extra inputs"),
        ("T2S_REDACTION", '{"personl": []}', "T2S_REDACTION (personl) is set to []: Extra inputs"),
        ("T2S_REDACTION__PERSONAL", "foo", "T2S_REDACTION__PERSONAL is set to 'foo', which is no JSON"),
        ("T2S_PERMITTED", "{oops", "T2S_PERMITTED is set to '{oops', which is no JSON"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(T2SError) as told:
        from_environment(Settings)

    assert str(told.value).startswith(sentence)


@pytest.mark.parametrize(("name", "value"), [("T2S_BUDGET_USD", "five"), ("T2S_READINGS", "tea_leaves")])
def test_so_is_one_of_the_endpoint(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(T2SError, match=f"^{name} is set to '{value}'"):
        from_environment(LLMSettings)


def test_a_variable_that_nothing_reads_is_told_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("T2S_MIN_TASKS", "T2S_REDACTION__KEEP", "T2S_MODEL", "t2s_seed"):
        monkeypatch.setenv(name, "1")
    for name in ("T2S_MIN_TASK", "T2S_XYZZY"):
        monkeypatch.setenv(name, "1")

    assert unknown_variables([Settings, LLMSettings]) == [
        "T2S_MIN_TASK is set, and there is no such setting; did you mean T2S_MIN_TASKS?",
        "T2S_XYZZY is set, and there is no such setting.",
    ]
