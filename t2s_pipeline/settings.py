"""Every knob of the pipeline in one model. Environment variables carry the prefix `T2S_`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from t2s_pipeline.traces.permitted import PermittedConfig
from t2s_pipeline.traces.redaction.config import RedactionConfig

Engine = Literal["auto", "statistical", "llm"]
"""Who learns from the traces: code alone (`statistical`), a model beside it (`llm`), or code alone while what
a model has taught before stays (`auto`)."""


class Settings(BaseSettings):
    """How one instance of the pipeline is set up; all fields have working defaults."""

    model_config = SettingsConfigDict(
        env_prefix="T2S_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    data: Path = Path("data")
    """Root of everything read and produced: inbox, base skills, store, cache, Dagster instance."""

    engine: Engine = "auto"
    """Which analysts read the traces. Only `llm` asks a model, and only `statistical` takes out again what a
    model has taught."""

    batch_traces: int = Field(default=32, ge=1, le=10_000)
    """Traces per batch (one Dagster partition). Grown automatically for large landings, so that one landing
    makes at most `max_batches_per_landing` partitions of a skill, or as many as `batch_mb` asks for."""

    max_batches_per_landing: int = Field(default=64, ge=1)
    """Upper bound on new partitions per skill and landing; a partition event costs about 15 ms."""

    batch_mb: int = Field(default=32, ge=1)
    """Megabytes of trace files in a batch of several traces at most, however large the landing: batches are
    held in memory, whole landings never."""

    redaction: RedactionConfig = RedactionConfig()
    """What is hidden before anything reads a trace; `T2S_REDACTION__PERSONAL='[]'` leaves the personal
    layer off."""

    permitted: PermittedConfig = PermittedConfig()
    """Which commands and hosts a rule may name."""

    workers: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=1)
    """Processes that read or mine traces at the same time, for landings large enough to be worth starting
    them."""

    max_record_mb: int = Field(default=64, ge=1)
    """A single trace (one JSONL line, or one JSON file of a container format) above this many
    megabytes is quarantined instead of parsed."""

    min_tasks: int = Field(default=2, ge=1)
    """Distinct tasks a rule needs before it enters SKILL.md."""

    min_sources: int = Field(default=1, ge=1)
    """Distinct trace files a rule has to rest on before it enters the skill at all. With 2 or more, nobody
    who can place one file into the inbox can write a rule."""

    half_life_days: float | None = Field(default=None, gt=0)
    """Days after which a task counts only half, and after as many again a quarter, from the newest trace of
    the skill back. A rule whose tasks count less than half of `min_tasks` goes back to waiting. Off by
    default; a trace without times always counts in full."""

    max_fdr: float = Field(default=0.05, gt=0, lt=1)
    """False discovery rate kept over all features tried in the contrasts of a skill
    (Benjamini-Hochberg)."""

    min_informative_strata: int = Field(default=8, ge=1)
    """Tasks with both outcomes and both sides of a habit that a contrast needs at least."""

    success_reward: float = 1.0
    """A reward at or above this counts as success where a format gives only a number."""

    id_key: str = "id"
    """OpenAI chat JSONL: key (dotted path allowed) of the conversation's own id."""

    task_key: str = "task_id"
    """OpenAI chat JSONL: key (dotted path allowed) of the task id."""

    reward_key: str = "reward"
    """OpenAI chat JSONL: key (dotted path allowed) of the reward or outcome."""

    trial_key: str = "trial"
    """OpenAI chat JSONL: key (dotted path allowed) of the attempt number."""

    agent_key: str = "agent"
    """OpenAI chat JSONL: key (dotted path allowed) of the agent's name."""


class DataPaths:
    """Where things lie under one data root; the only place that spells these names."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.inbox = self.root / "inbox"
        self.base = self.root / "base"
        self.skills = self.root / "skills"
        self.versions = self.root / "versions"
        self.batches = self.root / "batches"
        self.stage = self.root / "stage"
        self.cache = self.root / "cache"
        self.dagster = self.root / "dagster"
        self.database = self.root / "t2s.duckdb"
        self.lock = self.root / "t2s.lock"
        self.salt = self.root / "redaction.salt"
        self.forgotten = self.root / "forgotten.jsonl"
        self.released = self.root / "released.jsonl"
