"""What a call costs: the public price list by endpoint and model, or prices a person set, or unknown."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from genai_prices import Usage, calc_price

from t2s_pipeline.llm.settings import LLMSettings

_MILLION = 1_000_000


class Prices(Protocol):
    """Dollars for a number of tokens."""

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float | None:
        """Dollars, or None when the price is unknown. Cached tokens are part of the input tokens."""
        ...


class FixedPrices:
    """The same price for every token, in dollars per million."""

    def __init__(self, price_input: float, price_output: float) -> None:
        self.price_input = price_input
        self.price_output = price_output

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float | None:  # noqa: ARG002
        """Dollars; cached tokens cost what others do."""
        return (input_tokens * self.price_input + output_tokens * self.price_output) / _MILLION


class ListedPrices:
    """Prices as `genai-prices` ships them. The address decides: a model that somebody serves at home
    under a famous name costs something else, and that is unknown.
    """

    def __init__(self, base_url: str, model: str, at: datetime | None = None) -> None:
        self.base_url = base_url
        self.model = model
        self.at = at

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float | None:
        """Dollars, or None when the list has no such endpoint or model."""
        usage = Usage(
            input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached_tokens or None
        )
        try:
            price = calc_price(
                usage, self.model, provider_api_url=self.base_url, genai_request_timestamp=self.at
            )
        except LookupError:
            return None
        return float(price.total_price)


def prices_for(settings: LLMSettings, model: str, at: datetime | None = None) -> Prices:
    """The prices a run reckons with; those set by hand come first."""
    if settings.price_input is not None and settings.price_output is not None:
        return FixedPrices(settings.price_input, settings.price_output)
    return ListedPrices(settings.base_url, model, at)
