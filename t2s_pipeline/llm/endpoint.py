"""One HTTP attempt at an OpenAI-compatible endpoint, and what its outcome means.

The body is read here and not by the client library's models: servers that are nearly compatible leave out
fields, and a reply that does not parse must be kept with its usage all the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any

import httpx2
import openai
import orjson

from t2s_pipeline.llm.calls import CallStatus
from t2s_pipeline.llm.settings import LLMSettings

TOO_LONG = re.compile(r"context.{0,20}(?:length|size|window)|too (?:large|long|many tokens)", re.IGNORECASE)
"""A refusal of a question for its length, in the words of the servers there are."""
_CONNECT_S = 10.0
_WORDS_KEPT = 400
"""Characters of an endpoint's error message that go into a record."""
MOST_BYTES = 64 << 20
"""Bytes of a reply that are read. A chat reply has kilobytes, the vectors of a question a few megabytes."""
MOST_PACKED_BYTES = 256 << 10
"""The same of a compressed reply, which may unpack to a thousand times as much."""
_MOST_TOKENS = 10**9
"""A larger count of tokens is no count."""


@dataclass(frozen=True)
class RawReply:
    """What came back, as far as it could be read."""

    text: str
    finish_reason: str | None
    refusal: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None


@dataclass(frozen=True)
class RawVectors:
    """What came back for texts to embed, in the order of the texts."""

    vectors: list[list[float]]
    input_tokens: int | None
    output_tokens: int | None = 0
    cached_tokens: int | None = None


class Setback(Exception):
    """An attempt without a reply."""

    def __init__(
        self,
        status: CallStatus,
        reason: str,
        *,
        retry: bool = False,
        outage: bool = False,
        fatal: bool = False,
        billed: bool = False,
        retry_after_s: float | None = None,
        refused_parameter: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry = retry
        """Another attempt may succeed."""
        self.outage = outage
        """It tells of the endpoint, not of this call: no answer, or an internal error."""
        self.fatal = fatal
        """No other call would get an answer either: wrong key, no such model, no credit."""
        self.billed = billed
        """The endpoint may have done the work and counted it; nobody knows."""
        self.retry_after_s = retry_after_s
        self.refused_parameter = refused_parameter


class Endpoint:
    """The address, the key and the connections of one endpoint."""

    def __init__(self, settings: LLMSettings) -> None:
        self._settings = settings
        key = settings.api_key.get_secret_value() if settings.api_key else "none"
        self._api = openai.AsyncOpenAI(
            base_url=settings.base_url,
            api_key=key,
            max_retries=0,
            timeout=httpx2.Timeout(settings.call_timeout_s, connect=_CONNECT_S),
            http_client=openai.DefaultAsyncHttpxClient(
                limits=httpx2.Limits(
                    max_connections=settings.max_in_flight + 1,
                    max_keepalive_connections=settings.max_in_flight + 1,
                ),
                event_hooks={"response": [_bound]},
            ),
        )

    async def complete(self, parameters: dict[str, Any]) -> RawReply:
        """Ask once. Raises Setback."""
        return read_reply(await self._post("/chat/completions", parameters))

    async def embed(self, model: str, texts: Sequence[str]) -> RawVectors:
        """The vectors of some texts. Raises Setback."""
        parameters = {"model": model, "input": list(texts), "encoding_format": "float"}
        return read_vectors(await self._post("/embeddings", parameters), len(texts))

    async def _post(self, path: str, parameters: dict[str, Any]) -> bytes:
        """The body of the reply.

        The client library is given the body as bytes: checking and copying the parameters would take it
        more time than sending them.
        """
        try:
            response = await self._api.post(path, content=orjson.dumps(parameters), cast_to=httpx2.Response)
        except openai.APIStatusError as error:
            raise setback_of(error) from error
        except openai.APITimeoutError as error:
            raise _timeout(self._settings.call_timeout_s) from error
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            cause = error.__cause__ or error
            if isinstance(cause, _TooLong):
                raise Setback("server_error", str(cause), retry=True, billed=True) from error
            raise Setback(
                "connection",
                f"no connection to {self._settings.base_url}: {type(cause).__name__} {cause}".strip(),
                retry=True,
                outage=True,
                billed=not isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout),
            ) from error
        return response.content

    async def models(self) -> list[str]:
        """Names of the models the endpoint lists; none when it keeps no list. Raises Setback."""
        try:
            response = await self._api.models.with_raw_response.list()
            listed = orjson.loads(response.http_response.content)["data"]
            return [str(model["id"]) for model in listed]
        except (openai.APIStatusError, orjson.JSONDecodeError, KeyError, TypeError):
            return []
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            reason = f"no connection to {self._settings.base_url}"
            raise Setback("connection", reason, retry=True, outage=True) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()


class _TooLong(httpx2.ReadError):
    """A reply that does not end where any reply would have ended."""


class _Bounded(httpx2.AsyncByteStream):
    """A body of which no more than so many bytes are read."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > self._most:
                raise _TooLong(f"the reply has more than {self._most:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Has no more read of a reply than fits into memory."""
    packed = response.headers.get("content-encoding", "identity") != "identity"
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream, MOST_PACKED_BYTES if packed else MOST_BYTES)


def _timeout(seconds: float) -> Setback:
    reason = f"no reply within {seconds:g} s (T2S_CALL_TIMEOUT_S)"
    return Setback("timeout", reason, retry=True, outage=True, billed=True)


def timed_out(settings: LLMSettings) -> Setback:
    """The setback of an attempt that was cut off from outside after the hard limit."""
    return _timeout(settings.call_timeout_s)


def setback_of(error: openai.APIStatusError) -> Setback:
    """What an HTTP status means for this call and for others."""
    status = error.status_code
    words = _words(error)
    reason = f"HTTP {status}: {words}"
    retry_after_s = _retry_after_s(error.response.headers)
    if status == 429 and "insufficient_quota" in (error.code, error.type):
        return Setback("rejected", f"{reason} (no credit left)", fatal=True)
    if status == 429:
        return Setback("rate_limited", reason, retry=True, retry_after_s=retry_after_s)
    if status in (401, 403):
        return Setback("rejected", f"{reason} (set OPENAI_API_KEY to a key this endpoint takes)", fatal=True)
    if status == 404:
        return Setback("rejected", f"{reason} (look at OPENAI_BASE_URL and T2S_MODEL)", fatal=True)
    if status == 503 and retry_after_s is not None:
        return Setback("rate_limited", reason, retry=True, retry_after_s=retry_after_s)
    if status in (408, 409) or (status >= 500 and status != 501):
        return Setback("server_error", reason, retry=True, outage=True)
    if TOO_LONG.search(words):
        reason += " (lower T2S_TRACE_TOKENS or T2S_MAX_OUTPUT_TOKENS)"
    return Setback("rejected", reason, refused_parameter=error.param)


def _words(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        body = body["message"]
    elif not body:
        body = error.message
    words = " ".join(str(body).split())
    return words if len(words) <= _WORDS_KEPT else words[:_WORDS_KEPT] + " …"


def _retry_after_s(headers: httpx2.Headers) -> float | None:
    """Seconds to wait. A date is read against the server's own clock, so nobody else's matters."""
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) / per_second
        except ValueError:
            continue
        return seconds if 0 <= seconds < float("inf") else None
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def read_reply(content: bytes) -> RawReply:
    """A chat completion, with what it lacks left empty. Raises Setback when it is none."""
    try:
        body = orjson.loads(content)
        choice = body["choices"][0]
        message = choice.get("message") or {}
        usage = _object(body.get("usage"))
        details = _object(usage.get("prompt_tokens_details"))
        finish_reason, refusal = choice.get("finish_reason"), message.get("refusal")
        cached = details.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
        return RawReply(
            text=_text(message.get("content")),
            finish_reason=finish_reason if isinstance(finish_reason, str) else None,
            refusal=str(refusal)[:_WORDS_KEPT] if refusal else None,
            input_tokens=_count(usage.get("prompt_tokens")),
            output_tokens=_count(usage.get("completion_tokens")),
            cached_tokens=_count(cached),
        )
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        words = content[:_WORDS_KEPT].decode("utf-8", "replace")
        raise Setback(
            "server_error", f"not a chat completion: {words}", retry=True, outage=True, billed=True
        ) from error


def read_vectors(content: bytes, texts: int) -> RawVectors:
    """An embeddings reply for so many texts. Raises Setback when it is none."""
    try:
        body = orjson.loads(content)
        data = sorted(body["data"], key=lambda one: one["index"])
        vectors = [[float(number) for number in one["embedding"]] for one in data]
        lengths = {len(one) for one in vectors}
        if [one["index"] for one in data] != list(range(texts)) or len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"{len(data)} vectors of {lengths} numbers for {texts} texts")
        if not all(map(math.isfinite, chain.from_iterable(vectors))):
            raise ValueError("a vector with numbers that are none")
        tokens = _count(_object(body.get("usage")).get("prompt_tokens"))
        return RawVectors(vectors, tokens)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        words = content[:_WORDS_KEPT].decode("utf-8", "replace")
        raise Setback(
            "server_error", f"not one vector for each text: {words}", retry=True, outage=True, billed=True
        ) from error


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None


def _object(value: object) -> dict[str, Any]:
    """What is told about a reply beside the reply; what is told in another form is not told."""
    return value if isinstance(value, dict) else {}
