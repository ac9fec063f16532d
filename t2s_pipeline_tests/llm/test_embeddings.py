from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline.llm.calls import CallFailed, CallRow
from t2s_pipeline.llm.embeddings import MOST_CHARACTERS, EmbeddingClient
from t2s_pipeline.llm.endpoint import Setback, read_vectors
from t2s_pipeline.llm.limits import SystemClock
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline_tests.llm.server import Behaviour, LocalServer, spelled

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


def embedded(
    server: LocalServer, folder: Path, *batches: Sequence[str], **changes: Any
) -> tuple[list[list[list[float]]], list[CallRow]]:
    """Vectors of the batches asked for at the same time, and what was noted."""
    fields = {"base_url": server.base_url, "outage_limit_s": 0.0, "max_attempts": 2} | changes
    model = str(fields.pop("embedding_model", "local-embedder"))

    async def ask() -> tuple[list[list[list[float]]], list[CallRow]]:
        client = EmbeddingClient(
            LLMSettings.model_validate(fields),
            model,
            folder,
            skill="booking",
            clock=SystemClock(),
            rng=random.Random(0),
        )
        async with client:
            return list(await asyncio.gather(*map(client.embed, batches))), client.rows

    return asyncio.run(ask())


def test_vectors_come_in_the_order_of_the_texts(server: LocalServer, tmp_path: Path) -> None:
    vectors, (row,) = embedded(server, tmp_path, ["total fare", "table schema"])

    assert vectors == [[spelled("total fare", 64), spelled("table schema", 64)]]
    assert (row.purpose, row.model, row.skill, row.status) == ("embed", "local-embedder", "booking", "ok")
    assert (row.input_tokens, row.output_tokens) == (6, 0)


def test_only_the_beginning_of_a_long_text_is_sent(server: LocalServer, tmp_path: Path) -> None:
    embedded(server, tmp_path, ["x" * 5_000])

    assert [len(text) for text in server.seen.embedded] == [MOST_CHARACTERS]


@pytest.mark.parametrize(
    ("changes", "misbehaviour", "words"),
    [
        ({"embedding_model": "gpt-nothing"}, {}, "no model gpt-nothing"),
        ({}, {"status": 401}, "set OPENAI_API_KEY"),
        ({}, {"most_texts": 1}, "more than 1 texts"),
        ({}, {"status": 500}, "the endpoint has been down"),
        ({}, {"down": True}, "the endpoint has been down"),
    ],
)
def test_a_failure_says_what_to_set(
    server: LocalServer,
    tmp_path: Path,
    changes: dict[str, Any],
    misbehaviour: dict[str, Any],
    words: str,
) -> None:
    server.misbehave(**misbehaviour)

    with pytest.raises(CallFailed) as failure:
        embedded(server, tmp_path, ["a", "b"], **changes)

    assert words in str(failure.value)
    assert "T2S_EMBEDDING_MODEL=" in str(failure.value)
    assert "unset it for the vectors that come with the package" in str(failure.value)


def test_what_embeddings_cost_counts_towards_the_budget(server: LocalServer, tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded, match="T2S_BUDGET_TOKENS"):
        embedded(server, tmp_path, ["a" * 400], budget_tokens=100)

    assert not server.seen.embedded


def test_the_price_of_the_embedding_model_is_noted(server: LocalServer, tmp_path: Path) -> None:
    _, (row,) = embedded(server, tmp_path, ["a" * 400], price_input=1.0, price_output=9.0)

    assert row.cost_usd == pytest.approx(101e-6)


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b'{"data": [{"index": 0, "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]}',
        b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [null]}]}',
        b'{"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "AAAA"}]}',
        b"<html>busy</html>",
    ],
)
def test_a_reply_that_is_not_one_vector_for_each_text_is_a_setback(content: bytes) -> None:
    with pytest.raises(Setback, match="not one vector for each text"):
        read_vectors(content, 2)


def test_what_is_embedded_at_the_same_time_is_limited_like_any_other_call(tmp_path: Path) -> None:
    with LocalServer(Behaviour(delay_s=0.05)) as server:
        vectors, rows = embedded(server, tmp_path, ["a"], ["b"], ["c"], max_in_flight=1)

    assert len(vectors) == len(rows) == 3
    assert max(row.latency_s for row in rows) > 0.1
