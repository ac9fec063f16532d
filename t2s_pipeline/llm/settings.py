"""The knobs of the model endpoint. `OPENAI_*` names the endpoint, the prefix `T2S_` everything else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

OutputMode = Literal["json_schema", "json_object", "text"]
"""How a structured reply is asked for: constrained by the endpoint, JSON without a schema, or prose."""

Reading = Literal["state_transitions", "action_sequences", "conditional_rules", "goal_decomposition"]
"""A way to look at a trace that an analyst can be asked for."""

DEFAULT_MODEL = "gpt-5-mini"
OPENAI_URL = "https://api.openai.com/v1"


class LLMSettings(BaseSettings):
    """Endpoint, limits, budget and the analysts' appetite; every field has a working default."""

    model_config = SettingsConfigDict(
        env_prefix="T2S_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    base_url: str = Field(
        default=OPENAI_URL, validation_alias=AliasChoices("base_url", "T2S_BASE_URL", "OPENAI_BASE_URL")
    )
    """Root of the endpoint, up to and with `/v1`: OpenAI, vLLM, llama.cpp, Ollama, a LiteLLM proxy."""

    api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("api_key", "T2S_API_KEY", "OPENAI_API_KEY")
    )
    """Key of the endpoint; a local server needs none."""

    model: str | None = Field(
        default=None, validation_alias=AliasChoices("model", "T2S_MODEL", "OPENAI_MODEL")
    )
    """Model to ask. Without it: the only model the endpoint lists, else a small default of OpenAI's."""

    embedding_model: str | None = None
    """Model of the endpoint's `/embeddings` that proposes which findings the model should compare. Without
    it: vectors that come with the package."""

    output_mode: OutputMode | Literal["auto"] = "auto"
    """`auto` finds out once per endpoint and model what it understands."""

    temperature: float = Field(default=0.0, ge=0, le=2)
    """Sent where the model takes one."""

    seed: int | None = 0
    """Sent where the model takes one; another seed is another question and is paid for again."""

    max_output_tokens: int = Field(default=4_000, ge=64)
    """Upper bound on a reply, the reasoning of a reasoning model included."""

    call_timeout_s: float = Field(default=120.0, gt=0)
    """Hard limit on one HTTP attempt, first byte to last."""

    max_attempts: int = Field(default=6, ge=1)
    """HTTP attempts for one call before it is recorded as failed; an outage does not use them up."""

    outage_limit_s: float = Field(default=600.0, ge=0)
    """How long the fleet waits for an endpoint that is down before it gives up."""

    max_retry_after_s: float = Field(default=120.0, ge=0)
    """A longer `Retry-After` than this is a refusal (a daily quota), not a pause."""

    max_in_flight: int = Field(default=32, ge=1)
    """Calls open at the same time, over all analysts of a run."""

    requests_per_minute: int | None = Field(default=None, ge=1)
    """Rate limit of the endpoint; starts are spaced evenly."""

    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Rate limit of the endpoint, prompt and reply together."""

    budget_usd: float | None = Field(default=None, ge=0)
    """Dollars that one `t2s run`, or one `t2s ui` for as long as it is open, may spend. Needs a known price:
    see `price_input` and `price_output`."""

    budget_tokens: int | None = Field(default=None, ge=0)
    """Tokens one `t2s run` or one `t2s ui` may spend, prompt and reply together."""

    budget_scope: str | None = None
    """Name under which several processes share one budget, for ever. By default all that a process asks,
    analyses and merges, shares one; `t2s ui` names one for all runs it starts."""

    price_input: float | None = Field(default=None, ge=0)
    """Dollars per million prompt tokens, for endpoints the price list does not know."""

    price_output: float | None = Field(default=None, ge=0)
    """Dollars per million reply tokens, for endpoints the price list does not know."""

    trace_tokens: int = Field(default=8_000, ge=500)
    """Size of the view of a trace that an analyst is sent."""

    analysts: Literal["one", "all"] = "one"
    """`one`: the analyst that suits the trace best, one call a trace. `all`: every analyst that applies."""

    error_mode: Literal["single", "agentic"] = "single"
    """`agentic`: the error analyst reads on, searches and compares before it concludes."""

    max_turns: int = Field(default=6, ge=2, le=100)
    """Calls of one agentic analysis at most, its conclusion included."""

    readings: Annotated[tuple[Reading, ...], NoDecode] = ()
    """Ask each analyst once for each of these ways to look at a trace, instead of once without. In the
    environment: names with commas between them."""

    @field_validator("readings", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return (
            [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
        )

    @field_validator("base_url")
    @classmethod
    def _without_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def decides_lessons(self) -> frozenset[str]:
        """Names of the fields that decide what lessons come of a trace."""
        return self._decides_replies | {"trace_tokens", "analysts", "error_mode", "max_turns", "readings"}

    @property
    def decides_words(self) -> frozenset[str]:
        """Names of the fields that decide how merged lessons are worded."""
        return self._decides_replies | {"embedding_model"}

    @property
    def _decides_replies(self) -> frozenset[str]:
        # Without a name, which model answers is for the endpoint to say.
        asked = "model" if self.model else "base_url"
        return frozenset((asked, "temperature", "seed", "max_output_tokens"))

    @property
    def configured(self) -> bool:
        """Whether there is an endpoint to talk to: a key, or an address other than OpenAI's."""
        return self.api_key is not None or self.base_url != OPENAI_URL
