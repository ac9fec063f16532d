from __future__ import annotations

import pytest

from t2s_pipeline.llm.calls import Message, Request
from t2s_pipeline.llm.dialect import Dialect, ProbeReply, first_dialect
from t2s_pipeline.llm.settings import OPENAI_URL, LLMSettings

QUESTION = Request(
    model="m",
    messages=(Message(role="system", content="be brief"), Message(role="user", content="hello")),
    reply=ProbeReply,
    temperature=0.2,
    seed=5,
    max_output_tokens=99,
    prompt_version="v",
    purpose="p",
    skill="s",
)


def test_the_first_dialect_sends_everything() -> None:
    sent = Dialect().parameters(QUESTION, QUESTION.messages)

    assert sent["model"] == "m"
    assert sent["temperature"] == 0.2
    assert sent["seed"] == 5
    assert sent["max_tokens"] == 99
    assert sent["response_format"]["type"] == "json_schema"
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


def test_without_a_schema_parameter_the_prompt_says_the_schema() -> None:
    sent = Dialect(output_mode="text").parameters(QUESTION, QUESTION.messages)

    assert "response_format" not in sent
    assert "JSON Schema" in sent["messages"][0]["content"]


def test_a_model_without_system_role_gets_one_user_message() -> None:
    sent = Dialect(system_role=False).parameters(QUESTION, QUESTION.messages)

    assert sent["messages"] == [{"role": "user", "content": "be brief\n\nhello"}]


@pytest.mark.parametrize(
    ("refusal", "parameter", "changed"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", "max_tokens",
         {"limit": "max_completion_tokens"}),
        ("'temperature' does not support 0 with this model", "temperature", {"temperature": False}),
        ("Unknown argument: seed", None, {"seed": False}),
        ("response_format json_schema is unavailable", None, {"output_mode": "json_object"}),
        ("failed to parse grammar", None, {"output_mode": "json_object"}),
        ("System role not supported", None, {"system_role": False}),
    ],
)  # fmt: skip
def test_what_is_refused_is_left_out(refusal: str, parameter: str | None, changed: dict[str, str]) -> None:
    assert Dialect().without(refusal, parameter) == Dialect().model_copy(update=changed)


@pytest.mark.parametrize(
    "refusal",
    [
        "This model's maximum context length is 8192 tokens; reduce max_tokens or the messages",
        "the request exceeds the available context size",
        "the content violates a policy",
    ],
)
def test_a_refusal_of_the_question_itself_changes_nothing(refusal: str) -> None:
    assert Dialect().without(refusal, None) is None


def test_losing_one_thing_after_the_other_comes_to_an_end() -> None:
    everything = "max_tokens temperature seed response_format system role"
    dialect: Dialect | None = Dialect()

    steps = 0
    while dialect is not None:
        dialect = dialect.without(everything, None)
        steps += 1

    assert steps < 10


def test_openai_is_asked_in_its_newer_parameter_from_the_start() -> None:
    assert first_dialect(LLMSettings(base_url=OPENAI_URL)).limit == "max_completion_tokens"
    assert first_dialect(LLMSettings(base_url="http://127.0.0.1:1/v1")).limit == "max_tokens"
