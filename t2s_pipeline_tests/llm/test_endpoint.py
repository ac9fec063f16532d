from __future__ import annotations

import asyncio
import socket
import threading
import zlib
from contextlib import suppress
from typing import Self

import httpx2
import openai
import orjson
import pytest

from t2s_pipeline.llm.endpoint import (
    MOST_BYTES,
    MOST_PACKED_BYTES,
    Endpoint,
    Setback,
    read_reply,
    setback_of,
)
from t2s_pipeline.llm.settings import LLMSettings


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


@pytest.mark.parametrize(
    "usage",
    [
        b"null",
        b"[1]",
        b'"much"',
        b'{"prompt_tokens": "many"}',
        b'{"prompt_tokens": -1}',
        b'{"prompt_tokens": 9223372036854775808, "prompt_tokens_details": "none"}',
    ],
)
def test_a_reply_is_kept_whatever_its_usage_says(usage: bytes) -> None:
    reply = read_reply(b'{"choices": [{"message": {"content": "a"}}], "usage": ' + usage + b"}")

    assert reply.text == "a"
    assert reply.input_tokens is None


def test_what_is_told_beside_a_reply_in_another_form_does_not_cost_the_reply() -> None:
    body = {
        "choices": [
            {"message": {"content": "a", "refusal": {"why": "x" * 9_000}}, "finish_reason": ["length"]}
        ]
    }

    reply = read_reply(orjson.dumps(body))

    assert reply.finish_reason is None
    assert reply.refusal is not None and len(reply.refusal) == 400


@pytest.mark.parametrize("packed", [False, True])
def test_no_more_of_a_reply_is_read_than_fits_into_memory(packed: bool) -> None:
    """Without a bound, replies that do not end fill the memory until the time limit of the call."""
    with EndlessServer(packed=packed) as server:
        settings = LLMSettings.model_validate({"base_url": server.base_url, "call_timeout_s": 120.0})

        setback = asyncio.run(_first_setback(settings))

    assert setback.reason == f"the reply has more than {MOST_PACKED_BYTES if packed else MOST_BYTES:,} bytes"
    assert setback.retry and setback.billed and not setback.outage
    assert server.sent < 4 * MOST_BYTES


async def _first_setback(settings: LLMSettings) -> Setback:
    endpoint = Endpoint(settings)
    try:
        with pytest.raises(Setback) as caught:
            await endpoint.complete({"model": "m", "messages": []})
    finally:
        await endpoint.close()
    return caught.value


class EndlessServer:
    """Answers a request with blanks until the other side hangs up."""

    def __init__(self, *, packed: bool) -> None:
        self.sent = 0
        self._encoding = b"Content-Encoding: gzip\r\n" if packed else b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.base_url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._thread.join(timeout=10)

    def _serve(self) -> None:
        block = b" " * (1 << 20)
        packer = zlib.compressobj(wbits=31, level=0 if self._encoding else -1)
        connection, _ = self._listening.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + self._encoding + b"\r\n"
            )
            while True:
                sent = packer.compress(block) if self._encoding else block
                if sent:
                    connection.sendall(b"%x\r\n" % len(sent) + sent + b"\r\n")
                    self.sent += len(sent)
