from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from t2s_pipeline.llm.cache import ReplyCache, StoredReply
from t2s_pipeline.llm.calls import Message, Request

KEY = "ab" + "0" * 62


class Short(BaseModel):
    do: str


class Long(BaseModel):
    do: str
    why: str


def question(**changes: object) -> Request:
    """A question with some of its parameters changed."""
    parameters: dict[str, object] = {
        "model": "m",
        "messages": (Message(role="system", content="be kind"), Message(role="user", content="hello")),
        "reply": Short,
        "temperature": 0.0,
        "seed": 1,
        "max_output_tokens": 100,
        "prompt_version": "v1",
        "purpose": "analyst.error",
        "skill": "s",
    }
    return Request.model_validate(parameters | changes)


def test_every_parameter_of_a_question_is_in_its_key() -> None:
    changed = [
        question(model="n"),
        question(messages=(Message(role="user", content="hello"),)),
        question(messages=(Message(role="user", content="be kind"), Message(role="user", content="hello"))),
        question(reply=Long),
        question(temperature=0.5),
        question(seed=2),
        question(seed=None),
        question(max_output_tokens=101),
        question(prompt_version="v2"),
    ]

    keys = {request.key() for request in [question(), *changed]}

    assert len(keys) == len(changed) + 1


def test_what_a_question_is_for_is_not_in_its_key() -> None:
    other = question(purpose="merge", skill="t", trace_id="t-1", about=("t-1",))

    assert other.key() == question().key()


def test_every_field_of_a_request_is_known_to_the_tests_above() -> None:
    in_key = {"model", "messages", "reply", "temperature", "seed", "max_output_tokens", "prompt_version"}
    not_in_key = {"purpose", "skill", "trace_id", "about"}

    assert set(Request.model_fields) == in_key | not_in_key


def test_a_stored_reply_is_found_again(tmp_path: Path) -> None:
    reply = StoredReply(text="{}", about=("t-1",), input_tokens=3, cost_usd=0.5)

    ReplyCache(tmp_path).put(KEY, reply)

    assert ReplyCache(tmp_path).get(KEY) == reply
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.json"]


def test_a_damaged_file_counts_as_absent(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.put(KEY, StoredReply(text="{}"))
    path = next(tmp_path.rglob("*.json"))

    path.write_bytes(path.read_bytes()[:10])

    assert cache.get(KEY) is None


def test_a_useless_reply_is_kept_and_never_given_back(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)

    path = cache.keep_failed(KEY, StoredReply(text="prose", problem="no object"))

    assert "prose" in path.read_text()
    assert cache.get(KEY) is None


def test_forgetting_a_trace_deletes_the_replies_about_it_and_no_others(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path)
    cache.put("aa" + KEY[2:], StoredReply(text="{}", about=("t-1", "t-2")))
    cache.put("bb" + KEY[2:], StoredReply(text="{}", about=("t-2",)))
    cache.keep_failed("cc" + KEY[2:], StoredReply(text="no", about=("t-1",), problem="prose"))

    gone = cache.forget(["t-1"])

    assert gone == 2
    assert cache.get("aa" + KEY[2:]) is None
    assert cache.get("bb" + KEY[2:]) is not None
