from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.consolidate import consolidate, consolidate_skill
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import lessons_frames, trace_frames
from t2s_pipeline.store.queries import clusters_of_skill, conflicts_of_skill
from t2s_pipeline.store.stage import Scope
from t2s_pipeline.store.store import LoadReport, Store
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.builders import record_of, user
from t2s_pipeline_tests.consolidation.builders import (
    SKILL,
    CostlyMerger,
    PlainMerger,
    any_lesson,
    by_id,
    lesson,
    worded,
)

pytestmark = pytest.mark.slow


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


@pytest.mark.slow
@pytest.mark.parametrize("merger", [PlainMerger, CostlyMerger])
@given(steps=st.lists(st.lists(any_lesson, max_size=15), min_size=2, max_size=4))
@examples(deadline=None, max_examples=12)
def test_lessons_that_come_and_go_leave_what_a_rebuild_of_the_last_ones_gives(
    merger: type[PlainMerger] | type[CostlyMerger], steps: list[list[Lesson]]
) -> None:
    with TemporaryDirectory() as directory:
        settings = Settings(data=Path(directory))
        store = Store(DataPaths(settings.data))
        land(store, "always", *by_id(*steps[0]).values())
        for step in steps:
            land(store, "changing", *by_id(*step).values())
            report = consolidate_skill(store, settings, SKILL, merger())
        stored = clusters_of_skill(store, SKILL), conflicts_of_skill(store, SKILL).drop("skill").to_dicts()
        members = store.query("SELECT cluster_id, lesson_id FROM cluster_lessons ORDER BY ALL").rows()

    left = [one for one in (*steps[0], *steps[-1]) if one.skill == SKILL]
    expected = consolidate(left, skill=SKILL, min_tasks=2, merger=merger())
    assert stored == (list(expected.clusters), [conflict.model_dump() for conflict in expected.conflicts])
    assert members == sorted((one.cluster_id, i) for one in expected.clusters for i in one.lesson_ids)
    assert (report.root, report.balance.holds) == (expected.root, True)


class NotingStore(Store):
    """Notes which clusters are written."""

    written: list[str]

    def replace(self, scope: Scope, tables: Mapping[str, pl.DataFrame]) -> LoadReport:
        if "clusters" in tables:
            self.written = tables["clusters"]["headline"].to_list()
        return super().replace(scope, tables)


def test_an_update_reads_the_lessons_and_writes_the_clusters_that_changed_and_no_others(
    settings: Settings,
) -> None:
    store = NotingStore(DataPaths(settings.data))
    land(store, "b1", *(lesson(n, task=str(n), tool=f"tool {n % 20}", do=f"Do {n % 20}.") for n in range(60)))
    first = consolidate_skill(store, settings, SKILL, PlainMerger())
    land(store, "b2", lesson(99, task="99", tool="tool 7", do="Do 7."))

    store.written = []
    update = consolidate_skill(store, settings, SKILL, PlainMerger())
    changed, store.written = store.written, []
    again = consolidate_skill(store, settings, SKILL, PlainMerger())

    assert (first.asked, first.kept) == (20, 0)
    assert (update.asked, update.kept, changed) == (1, 19, ["Do 7."])
    assert (again.asked, again.kept, store.written) == (0, 20, [])


def test_a_cluster_that_lost_rows_of_its_lessons_is_written_again(store: Store, settings: Settings) -> None:
    land(store, "b1", lesson(1, task="a"), lesson(2, task="b"))
    consolidate_skill(store, settings, SKILL, PlainMerger())
    members = store.query("SELECT * FROM cluster_lessons ORDER BY lesson_id")
    store.replace({"skill": SKILL}, {"cluster_lessons": members.head(1)})

    consolidate_skill(store, settings, SKILL, PlainMerger())

    assert store.query("SELECT * FROM cluster_lessons ORDER BY lesson_id").equals(members)


def drafts(settings: Settings) -> Path:
    return settings.data / "cache" / "merges" / SKILL / "drafts.parquet"


def test_what_a_lesson_that_is_gone_taught_is_in_no_file(store: Store, settings: Settings) -> None:
    land(store, "b1", lesson(1))
    land(store, "b2", lesson(2, tool="cancel", do="Say the word xyzzy."))
    consolidate_skill(store, settings, SKILL, PlainMerger())
    before = "".join(pl.read_parquet(drafts(settings))["body"])
    land(store, "b2")

    consolidate_skill(store, settings, SKILL, PlainMerger())

    assert "xyzzy" in before
    assert "xyzzy" not in "".join(pl.read_parquet(drafts(settings))["body"])


@pytest.mark.parametrize("damage", [b"", b"PAR1 and nothing else"])
def test_damaged_drafts_are_made_again(store: Store, settings: Settings, damage: bytes) -> None:
    land(store, "b1", lesson(1), lesson(2, tool="cancel"))
    first = consolidate_skill(store, settings, SKILL, PlainMerger())
    drafts(settings).write_bytes(damage)

    again = consolidate_skill(store, settings, SKILL, PlainMerger())

    assert (again.root, again.asked, again.kept) == (first.root, 2, 0)


def test_drafts_of_other_settings_or_another_engine_are_not_used(store: Store, settings: Settings) -> None:
    land(store, "b1", *(lesson(n, task=str(n)) for n in range(2)))
    placed = {
        name: consolidate_skill(store, changed, SKILL, merger).admitted
        for name, changed, merger in (
            ("first", settings, PlainMerger()),
            ("more tasks", settings.model_copy(update={"min_tasks": 3}), PlainMerger()),
            ("more sources", settings.model_copy(update={"min_sources": 3}), PlainMerger()),
            ("first again", settings, PlainMerger()),
        )
    }
    other = CostlyMerger()

    consolidate_skill(store, settings, SKILL, other)

    assert placed == {"first": 1, "more tasks": 0, "more sources": 0, "first again": 1}
    assert other.merges == [2]


def test_lessons_are_grouped_in_the_store_by_exactly_what_they_say(store: Store, settings: Settings) -> None:
    texts = [
        "plain",
        "a\x00b",
        'say "no" \\ twice',
        "naïve “quotes”",
        "line\nbreak",
        "计算总价 🧮",
        "null",
        "true",
        "",
    ]
    lessons = [
        worded(n, trigger=trigger, action=action, pattern=trigger, negated=n % 2 == 0, evidence=n % 7 > 0)
        for n, (trigger, action) in enumerate((one, other) for one in texts for other in texts)
    ]
    land(store, "b1", *lessons)

    consolidate_skill(store, settings, SKILL, PlainMerger())

    expected = consolidate(lessons, skill=SKILL, min_tasks=2, merger=PlainMerger())
    assert clusters_of_skill(store, SKILL) == list(expected.clusters)
