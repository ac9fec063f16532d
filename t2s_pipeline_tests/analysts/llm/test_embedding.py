"""Vectors of an endpoint decide which findings a model compares, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.analysts.llm.merging import LLMMerger
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import ConsolidationReport, consolidate_skill
from t2s_pipeline.errors import EndpointError
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import lessons_frames
from t2s_pipeline.store.queries import clusters_of_skill
from t2s_pipeline.store.store import Store
from t2s_pipeline_tests.consolidation.builders import SKILL, worded
from t2s_pipeline_tests.llm.server import LocalServer

TRIGGERS = [f"the {noun} is {state}" for noun in ("fare", "seat", "table") for state in ("wrong", "taken")]


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(DataPaths(tmp_path))
    lessons = [worded(n, task=str(n), trigger=trigger, action="ask") for n, trigger in enumerate(TRIGGERS)]
    store.replace({"batch": "b1"}, lessons_frames(lessons, "b1"))
    return store


def consolidated(
    store: Store, server: LocalServer, folder: Path, **changes: Any
) -> tuple[ConsolidationReport, list[str]]:
    """The report, and the purposes of the calls that were made."""
    fields = {"base_url": server.base_url, "model": "m", "embedding_model": "local-embedder"} | changes
    settings = LLMSettings.model_validate({"max_attempts": 1, "outage_limit_s": 0.0} | fields)
    merger = LLMMerger(settings, folder / "replies", StatisticalMerger(), skill=SKILL, rng=random.Random(0))
    with merger:
        report = consolidate_skill(store, Settings(data=folder, engine="llm"), SKILL, merger)
    return report, [row.purpose for row in merger.rows if not row.from_cache]


def test_every_text_is_sent_once_and_never_again(store: Store, server: LocalServer, tmp_path: Path) -> None:
    first, calls = consolidated(store, server, tmp_path)
    more = [worded(99, task="99", trigger="the gate is closed", action="ask")]
    store.replace({"batch": "b2"}, lessons_frames(more, "b2"))

    again, later = consolidated(store, server, tmp_path)

    assert calls.count("embed") == later.count("embed") == 1
    assert server.seen.embedded == dict.fromkeys((f"{t}. ask" for t in (*TRIGGERS, "the gate is closed")), 1)
    assert (first.lessons, again.lessons) == (6, 7)


def test_the_same_lessons_come_out_the_same_although_the_endpoint_changed_its_mind(
    store: Store, server: LocalServer, tmp_path: Path
) -> None:
    first, _ = consolidated(store, server, tmp_path)
    server.misbehave(dimensions=8)

    again, calls = consolidated(store, server, tmp_path)

    assert (again.root, calls) == (first.root, [])


def test_an_endpoint_without_vectors_ends_consolidation_and_changes_nothing(
    store: Store, server: LocalServer, tmp_path: Path
) -> None:
    consolidated(store, server, tmp_path)
    before = clusters_of_skill(store, SKILL)
    store.replace({"batch": "b1"}, lessons_frames([], "b1"))
    more = [worded(n, task=str(n), trigger=f"case {n}") for n in range(3)]
    store.replace({"batch": "b2"}, lessons_frames(more, "b2"))

    with pytest.raises(EndpointError, match="T2S_EMBEDDING_MODEL=typo has to name an embedding model"):
        consolidated(store, server, tmp_path, embedding_model="typo")

    assert clusters_of_skill(store, SKILL) == before


def test_without_a_model_for_embeddings_none_are_asked_for(
    store: Store, server: LocalServer, tmp_path: Path
) -> None:
    _, calls = consolidated(store, server, tmp_path, embedding_model=None)

    assert "embed" not in calls
    assert not server.seen.embedded


def test_the_statistical_engine_embeds_nothing(
    store: Store, server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2S_EMBEDDING_MODEL", "local-embedder")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

    consolidate_skill(store, Settings(data=tmp_path), SKILL, StatisticalMerger())

    assert not server.seen.embedded
    assert not (tmp_path / "cache" / "merges" / SKILL / "vectors").exists()


def test_the_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2S_EMBEDDING_MODEL", "text-embedding-3-small")

    assert LLMSettings().embedding_model == "text-embedding-3-small"
