"""An OpenAI-compatible endpoint on 127.0.0.1 that answers deterministically and misbehaves on demand.

In a thread for tests (`with LocalServer() as server`) or as a process of its own for benchmarks:
`python -m t2s_pipeline_tests.llm.server --delay 1` prints its address and serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Literal, Self

from t2s_pipeline_tests.llm.answers import reply_to, schema_of

FaultKind = Literal[
    "429", "429 with Retry-After", "500", "503", "reset", "slow",
    "truncated", "prose", "wrong schema", "refusal", "empty",
]  # fmt: skip
FAULTS: tuple[FaultKind, ...] = (
    "429", "429 with Retry-After", "500", "503", "reset", "slow",
    "truncated", "prose", "wrong schema", "refusal", "empty",
)  # fmt: skip
_PER_TOKEN = 4


@dataclass(frozen=True)
class Behaviour:
    """How the endpoint answers. Whether a request meets a fault depends on the seed, on its body and on how
    often that body came before, not on the order of requests.
    """

    delay_s: float = 0.0
    fault_rate: float = 0.0
    faults: tuple[FaultKind, ...] = FAULTS
    seed: int = 0
    slow_s: float = 1.0
    retry_after: str = "0.02"
    formats: tuple[str, ...] = ("json_schema", "json_object")
    """Kinds of `response_format` it takes; others are refused with 400."""
    enforces: bool = True
    """Whether it answers in the form of `response_format`, or ignores that."""
    refuses: tuple[str, ...] = ()
    """Parameters refused with 400."""
    status: int | None = None
    """Answer everything with this status."""
    down: bool = False
    """Close every connection without an answer."""
    models: tuple[str, ...] = ("local-model",)
    usage: bool = True
    content: str | None = None
    """Reply always this, if set."""
    dimensions: int = 64
    """Numbers in the vector of a text."""
    embedding_models: tuple[str, ...] = ("local-embedder",)
    """What `/embeddings` knows; other names get 404."""
    most_texts: int = 32
    """Texts in one embeddings request; more get 413."""


@dataclass
class Seen:
    """What the endpoint was asked."""

    bodies: Counter[str] = field(default_factory=Counter)
    """Chat requests that arrived, by digest of their body."""
    answered: Counter[str] = field(default_factory=Counter)
    """Chat requests whose good reply was delivered, by digest of their body."""
    tokens: int = 0
    """Prompt and reply tokens of everything answered with 200."""
    in_flight: int = 0
    most_in_flight: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies as they came, when kept."""
    embedded: Counter[str] = field(default_factory=Counter)
    """Texts whose vector was delivered."""

    @property
    def chats(self) -> int:
        """Chat requests that arrived."""
        return self.bodies.total()


class LocalServer:
    """The endpoint in a thread of its own."""

    def __init__(self, behaviour: Behaviour | None = None, *, port: int = 0, keep: bool = False) -> None:
        self.behaviour = behaviour or Behaviour()
        self.seen = Seen()
        self._keep = keep
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def base_url(self) -> str:
        """What to put into `OPENAI_BASE_URL`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def misbehave(self, **changes: Any) -> None:
        """Change the behaviour from now on."""
        self.behaviour = replace(self.behaviour, **changes)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self.start())
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def start(self) -> asyncio.Server:
        """Listen in the running loop."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", self._port, backlog=512)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                body = await reader.readexactly(_content_length(head))
                if self.behaviour.down:
                    _reset(writer)
                    return
                await self._request(head.split(" ", 2)[1], body, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _request(
        self, path: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if path.endswith("/models"):
            await _send(writer, 200, {"data": [{"id": name} for name in self.behaviour.models]})
        elif path.endswith("/stats"):
            seen = {"chats": self.seen.chats, "tokens": self.seen.tokens, "bodies": dict(self.seen.bodies)}
            await _send(writer, 200, seen | {"answered": dict(self.seen.answered)})
        elif path.endswith("/embeddings"):
            await self._embeddings(json.loads(body), writer)
        else:
            self.seen.in_flight += 1
            self.seen.most_in_flight = max(self.seen.most_in_flight, self.seen.in_flight)
            try:
                await self._chat(body, reader, writer)
            finally:
                self.seen.in_flight -= 1

    async def _embeddings(self, request: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        behaviour, texts = self.behaviour, request["input"]
        refusal = _refusal(behaviour, request)
        if refusal is None and request["model"] not in behaviour.embedding_models:
            refusal = 404, {"error": {"message": f"no model {request['model']}"}}
        if refusal is None and len(texts) > behaviour.most_texts:
            refusal = 413, {"error": {"message": f"more than {behaviour.most_texts} texts"}}
        if refusal is not None:
            await _send(writer, *refusal)
            return
        await asyncio.sleep(behaviour.delay_s)
        tokens = sum(len(text) for text in texts) // _PER_TOKEN + 1
        data = [
            {"object": "embedding", "index": index, "embedding": spelled(text, behaviour.dimensions)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens} if behaviour.usage else None
        await _send(writer, 200, {"object": "list", "data": data[::-1], "usage": usage})
        self.seen.embedded.update(texts)
        self.seen.tokens += tokens

    async def _chat(self, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behaviour = self.behaviour
        digest = blake2b(body, digest_size=12).hexdigest()
        fault = _fault(behaviour, digest, self.seen.bodies[digest])
        self.seen.bodies[digest] += 1
        request = json.loads(body)
        if self._keep:
            self.seen.requests.append(request)
        refusal = _refusal(behaviour, request)
        if refusal is not None:
            await _send(writer, *refusal)
            return
        await asyncio.sleep(behaviour.delay_s + (behaviour.slow_s if fault == "slow" else 0.0))
        if fault == "reset":
            _reset(writer)
            raise ConnectionResetError
        if fault in ("429", "429 with Retry-After"):
            more = {"Retry-After": behaviour.retry_after} if fault != "429" else {}
            await _send(writer, 429, {"error": {"message": "slow down"}}, more)
            return
        if fault in ("500", "503"):
            await _send(writer, int(fault), {"error": {"message": "something broke"}})
            return
        reply = _reply(behaviour, request, fault)
        if reader.at_eof():
            raise ConnectionResetError  # nobody is there to take the reply
        await _send(writer, 200, reply)
        self.seen.tokens += reply["tokens"]
        if fault in (None, "slow", "prose"):
            self.seen.answered[digest] += 1


def spelled(text: str, dimensions: int) -> list[float]:
    """A vector that tells how a text is spelled: how often three letters stand in a row, by their digest."""
    vector = [0.0] * dimensions
    for start in range(len(text)):
        drawn = blake2b(text[start : start + 3].encode(), digest_size=4).digest()
        vector[int.from_bytes(drawn, "big") % dimensions] += 0.25
    return vector


def _fault(behaviour: Behaviour, digest: str, before: int) -> FaultKind | None:
    drawn = blake2b(f"{behaviour.seed} {digest} {before}".encode(), digest_size=8).digest()
    number = int.from_bytes(drawn, "big")
    if number % 10_000 >= behaviour.fault_rate * 10_000:
        return None
    return behaviour.faults[number // 10_000 % len(behaviour.faults)]


def _refusal(behaviour: Behaviour, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]] | None:
    if behaviour.status is not None:
        return behaviour.status, {"error": {"message": f"always {behaviour.status}"}}
    for parameter in behaviour.refuses:
        if parameter in request:
            error = {"message": f"Unsupported parameter: '{parameter}'", "param": parameter}
            return 400, {"error": error}
    asked = (request.get("response_format") or {}).get("type")
    if asked is not None and asked not in behaviour.formats:
        return 400, {"error": {"message": f"response_format type {asked} is not supported"}}
    return None


def _reply(behaviour: Behaviour, request: Mapping[str, Any], fault: FaultKind | None) -> dict[str, Any]:
    form = (request.get("response_format") or {}).get("type")
    in_form = (form is not None and behaviour.enforces) or _asked_in_words(request)
    content = json.dumps(reply_to(request["messages"], schema_of(request))) if in_form else "Blue."
    content = content if behaviour.content is None else behaviour.content
    refusal, finish = None, "stop"
    if fault == "truncated":
        content, finish = content[: len(content) // 2], "length"
    elif fault == "prose":
        content = f"Sure! Here is the object:\n```json\n{content}\n```\nAnything else?"
    elif fault == "wrong schema":
        content = json.dumps({"answer": 42})
    elif fault == "refusal":
        content, refusal = "", "I cannot help with that."
    elif fault == "empty":
        content = ""
    sent = sum(len(message["content"]) for message in request["messages"]) // _PER_TOKEN + 1
    got = len(content) // _PER_TOKEN + 1
    usage = {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}
    return {
        "id": "chatcmpl-local",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "finish_reason": finish,
            }
        ],
        "usage": usage if behaviour.usage else None,
        "tokens": sent + got,
    }


def _asked_in_words(request: Mapping[str, Any]) -> bool:
    return any("JSON Schema:\n" in message["content"] for message in request["messages"])


def _content_length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


async def _send(
    writer: asyncio.StreamWriter, status: int, body: object, headers: Mapping[str, str] | None = None
) -> None:
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Status", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Cut the connection so that the other side sees a reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _serve(server: LocalServer) -> None:
    listening = await server.start()
    sys.stdout.write(f"{server.base_url}\n")
    sys.stdout.flush()
    await listening.serve_forever()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds per reply")
    parser.add_argument("--fault-rate", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    behaviour = Behaviour(delay_s=chosen.delay, fault_rate=chosen.fault_rate, seed=chosen.seed)
    asyncio.run(_serve(LocalServer(behaviour, port=chosen.port)))


if __name__ == "__main__":
    main()
