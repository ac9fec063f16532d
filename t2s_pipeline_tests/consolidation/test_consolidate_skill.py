from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.consolidate import consolidate, consolidate_skill
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import lessons_frames, trace_frames
from t2s_pipeline.store.queries import clusters_of_skill, conflicts_of_skill
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.builders import record_of, user
from t2s_pipeline_tests.consolidation.builders import SKILL, CostlyMerger, PlainMerger, lesson, worded


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store(DataPaths(settings.data))


def land(store: Store, batch: str, *lessons: Lesson) -> None:
    store.replace({"batch": batch}, lessons_frames(lessons, batch))


def _record(trace_id: str, uri: str) -> TraceRecord:
    record = record_of(user("go"), trace_id=trace_id)
    source = record.source.model_copy(update={"uri": uri})
    return record.model_copy(update={"skill": SKILL, "source": source})


def test_clusters_and_conflicts_of_the_lessons_are_in_the_store(store: Store, settings: Settings) -> None:
    about: dict[str, Any] = {"pattern": "habit", "action": "ask the user", "outcome": "success"}
    lessons = [lesson(n, task=str(n), **about) for n in range(3)]
    lessons += [lesson(n, task=str(n), negated=True, **about) for n in range(10, 12)]
    land(store, "b1", *lessons)

    report = consolidate_skill(store, settings, SKILL, PlainMerger())

    expected = consolidate(lessons, skill=SKILL, min_tasks=2, merger=PlainMerger())
    assert clusters_of_skill(store, SKILL) == list(expected.clusters)
    assert conflicts_of_skill(store, SKILL)["decision"].to_list() == ["evidence"]
    assert (report.lessons, report.clusters, report.admitted, report.candidates) == (5, 2, 1, 1)
    assert (report.conflicts, report.balance.holds, report.root) == (1, True, expected.root)


def test_the_order_in_which_batches_land_does_not_matter(tmp_path: Path) -> None:
    batches = {"b1": [lesson(1, task="a")], "b2": [lesson(2, task="b"), lesson(3, tool="cancel")]}
    roots = []
    for order in (["b1", "b2"], ["b2", "b1"]):
        settings = Settings(data=tmp_path / order[0])
        store = Store(DataPaths(settings.data))
        for batch in order:
            land(store, batch, *batches[batch])
            report = consolidate_skill(store, settings, SKILL, PlainMerger())
        roots.append(report.root)

    assert roots[0] == roots[1]


def test_a_skill_whose_lessons_are_gone_has_no_clusters_left(store: Store, settings: Settings) -> None:
    land(store, "b1", lesson(1))
    consolidate_skill(store, settings, SKILL, PlainMerger())
    land(store, "b1")

    report = consolidate_skill(store, settings, SKILL, PlainMerger())

    assert report.clusters == 0
    assert clusters_of_skill(store, SKILL) == []


def test_answers_of_an_engine_that_costs_are_kept_under_the_cache(store: Store, settings: Settings) -> None:
    land(store, "b1", worded(1, task="a"), worded(2, task="b"))

    first = consolidate_skill(store, settings, SKILL, CostlyMerger())
    again = consolidate_skill(store, settings, SKILL, CostlyMerger())

    assert (first.asked, again.asked, again.kept) == (1, 0, 1)
    assert list((settings.data / "cache" / "merges").rglob("*.json"))


def test_answers_that_rest_on_a_forgotten_trace_are_gone(store: Store, settings: Settings) -> None:
    land(store, "b1", worded(1, task="a"), worded(2, task="b"))
    land(store, "b2", worded(3, task="c"))
    consolidate_skill(store, settings, SKILL, CostlyMerger())
    (before,) = (settings.data / "cache" / "merges").rglob("*.json")
    land(store, "b2")

    consolidate_skill(store, settings, SKILL, CostlyMerger())

    (after,) = (settings.data / "cache" / "merges").rglob("*.json")
    assert before != after


@pytest.mark.parametrize(("files", "admitted"), [(1, 0), (2, 1)])
def test_with_two_sources_asked_for_traces_of_one_file_make_no_rule(
    tmp_path: Path, files: int, admitted: int
) -> None:
    settings = Settings(data=tmp_path, min_sources=2)
    store = Store(DataPaths(tmp_path))
    lessons = [lesson(n, task=str(n)) for n in range(4)]
    records = [
        _record(one.trace_id, f"inbox/{SKILL}/{n % files}.jsonl#L{n}") for n, one in enumerate(lessons)
    ]
    store.replace({"batch": "b1"}, {**trace_frames(records, "b1"), **lessons_frames(lessons, "b1")})

    report = consolidate_skill(store, settings, SKILL, PlainMerger())

    assert report.admitted == admitted


def test_other_skills_are_left_alone(store: Store, settings: Settings) -> None:
    land(store, "b1", lesson(1))
    land(store, "b2", lesson(1, skill="sql"))
    consolidate_skill(store, settings, SKILL, PlainMerger())

    consolidate_skill(store, settings, "sql", PlainMerger())

    assert len(clusters_of_skill(store, SKILL)) == 1
    assert len(clusters_of_skill(store, "sql")) == 1
