from __future__ import annotations

import httpx2
import openai
import pytest

from t2s_pipeline.llm.endpoint import Setback, read_reply, setback_of


def refused(status: int, headers: dict[str, str] | None = None, body: object = None) -> Setback:
    """What the endpoint makes of an HTTP status."""
    request = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")
    response = httpx2.Response(status, headers=headers, request=request)
    return setback_of(openai.APIStatusError("refused", response=response, body=body))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 00:01:00 GMT", "date": "Thu, 01 Jan 2026 00:00:20 GMT"}, 40.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:01:00 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert refused(429, headers).retry_after_s == seconds


@pytest.mark.parametrize(
    ("status", "retry", "outage", "fatal"),
    [
        (400, False, False, False),
        (401, False, False, True),
        (403, False, False, True),
        (404, False, False, True),
        (408, True, True, False),
        (422, False, False, False),
        (429, True, False, False),
        (500, True, True, False),
        (501, False, False, False),
        (503, True, True, False),
        (529, True, True, False),
    ],
)
def test_what_a_status_means(status: int, retry: bool, outage: bool, fatal: bool) -> None:
    setback = refused(status)

    assert (setback.retry, setback.outage, setback.fatal) == (retry, outage, fatal)


def test_no_credit_left_is_not_a_rate_limit() -> None:
    setback = refused(429, body={"message": "You exceeded your quota", "code": "insufficient_quota"})

    assert setback.fatal
    assert not setback.retry


def test_a_question_that_is_too_long_names_the_knobs() -> None:
    setback = refused(400, body={"message": "This model's maximum context length is 4096 tokens"})

    assert "T2S_TRACE_TOKENS" in setback.reason
    assert not setback.fatal


def test_a_reply_in_parts_and_with_cached_tokens_is_read() -> None:
    reply = read_reply(
        b'{"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]},'
        b' "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 2,'
        b' "prompt_tokens_details": {"cached_tokens": 4}}}'
    )

    assert reply.text == "ab"
    assert (reply.input_tokens, reply.output_tokens, reply.cached_tokens) == (9, 2, 4)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>gateway</html>",
        b"{}",
        b'{"choices": []}',
        b'{"error": {"message": "x"}}',
        b"[1]",
        b"null",
    ],
)
def test_what_is_no_chat_completion_is_a_setback_to_try_again(body: bytes) -> None:
    with pytest.raises(Setback, match="not a chat completion") as caught:
        read_reply(body)

    assert caught.value.retry


@pytest.mark.parametrize("usage", [b"null", b'{"prompt_tokens": "many"}', b'{"prompt_tokens": -1}'])
def test_a_reply_is_kept_whatever_its_usage_says(usage: bytes) -> None:
    reply = read_reply(b'{"choices": [{"message": {"content": "a"}}], "usage": ' + usage + b"}")

    assert reply.text == "a"
    assert reply.input_tokens is None
