"""Who words the rules of a skill: code, or a model, and then which. A model that has worded a skill is
remembered with the skill, so that what it has said can be used again where it is not asked.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_pipeline.analysts.version import analysts_version
from t2s_pipeline.environment import from_environment
from t2s_pipeline.llm.cache import write_atomically
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.sources import settings_version

BY_CODE = "statistical"
"""The version of words that no model has chosen."""


class Wording(BaseModel):
    """The model that has worded a skill."""

    model_config = ConfigDict(frozen=True)

    version: str
    """Changes whenever the same lessons could be worded otherwise."""
    model: str
    temperature: float
    seed: int | None
    max_output_tokens: int
    embedding_model: str | None = None

    def unasked(self) -> LLMSettings:
        """Settings under which everything this model has said is found again and nothing is asked."""
        nothing = {"budget_usd": None, "budget_tokens": 0, "budget_scope": "nothing is asked"}
        no_pace = {"requests_per_minute": None, "tokens_per_minute": None}
        update = {**self.model_dump(exclude={"version"}), **nothing, **no_pace}
        return from_environment(LLMSettings).model_copy(update=update)


def words_version(settings: Settings, skill: str) -> str:
    """Changes whenever the engine could word the same lessons otherwise.

    Raises:
        T2SError: the settings of the model's endpoint make no sense.
    """
    if settings.engine == "llm":
        return asked_version(from_environment(LLMSettings))
    remembered = wording_of(settings, skill) if settings.engine == "auto" else None
    return remembered.version if remembered else BY_CODE


def asked_version(model: LLMSettings) -> str:
    """The version of words that a model with these settings chooses."""
    return f"{analysts_version('llm')}-{settings_version(model, model.decides_words)}"


def wording_of(settings: Settings, skill: str) -> Wording | None:
    """The model that has worded a skill; None where none has."""
    try:
        return Wording.model_validate_json(_file(settings, skill).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def remember_wording(settings: Settings, skill: str, wording: Wording | None) -> None:
    """Note which model has worded a skill, or that none has."""
    if wording is None:
        _file(settings, skill).unlink(missing_ok=True)
    else:
        write_atomically(_file(settings, skill), wording.model_dump_json().encode())


def _file(settings: Settings, skill: str) -> Path:
    return DataPaths(settings.data).cache / "models" / f"{skill}.json"
