from __future__ import annotations

from datetime import UTC, datetime

import pytest

from t2s_pipeline.llm.prices import prices_for
from t2s_pipeline.llm.settings import OPENAI_URL, LLMSettings
from t2s_pipeline.llm.tokens import estimated_tokens, most_tokens

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_listed_model_has_a_price_and_cached_tokens_cost_less() -> None:
    prices = prices_for(LLMSettings(base_url=OPENAI_URL), "gpt-4o-mini", THEN)

    full, cached = prices.cost(1_000_000, 0), prices.cost(1_000_000, 0, 1_000_000)

    assert full is not None
    assert cached is not None
    assert 0 < cached < full < 1


@pytest.mark.parametrize(
    ("base_url", "model"),
    [("http://127.0.0.1:8080/v1", "gpt-4o-mini"), (OPENAI_URL, "a-model-of-my-own")],
    ids=["own server", "own model"],
)
def test_what_is_not_listed_is_unknown(base_url: str, model: str) -> None:
    assert prices_for(LLMSettings(base_url=base_url), model, THEN).cost(1_000, 1_000) is None


def test_prices_set_by_hand_come_first() -> None:
    settings = LLMSettings(base_url=OPENAI_URL, price_input=2.0, price_output=10.0)

    assert prices_for(settings, "gpt-4o-mini").cost(1_000_000, 100_000) == pytest.approx(3.0)


@pytest.mark.parametrize(
    "text", ["", "plain words, some code(x) and 12 numbers", "Здравствуйте", "漢字かな" * 9]
)
def test_the_bound_is_above_the_estimate(text: str) -> None:
    assert 0 < estimated_tokens(text) <= most_tokens([text])
