"""A skill is a function of the set of its lessons: order, batches and earlier versions leave no mark."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from t2s_pipeline.analysts.analyse import analyse_batches, analyse_skill
from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import consolidate, consolidate_skill
from t2s_pipeline.outstanding import plan_inbox, unfinished_batches
from t2s_pipeline.pipeline import Pipeline, pipeline_at
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.skills.lineage_file import EvidenceQuote
from t2s_pipeline.skills.publish import publish_learnt, publish_skill
from t2s_pipeline.skills.sources import ClusterEvidence, Learnt
from t2s_pipeline.skills.spec import check_skill_directory
from t2s_pipeline.skills.tree import FileBody, read_tree
from t2s_pipeline.store.frames import lessons_frames, trace_frames
from t2s_pipeline.store.queries import status_counts
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.builders import record_of, user
from t2s_pipeline_tests.consolidation.builders import SKILL, PlainMerger, any_lesson
from t2s_pipeline_tests.samples.make_samples import ROOT

pytestmark = pytest.mark.slow

INBOX = ROOT / "data" / "inbox"
NOW = datetime(2026, 3, 1, tzinfo=UTC)

Files = dict[str, FileBody]


def published(root: Path, lessons: Iterable[Lesson], *, at: datetime = NOW) -> Files:
    """The directory after publishing what these lessons come to, over whatever lay there."""
    lessons = list(lessons)
    clusters = consolidate(lessons, skill=SKILL, min_tasks=2, merger=PlainMerger()).clusters
    by_id = {lesson.lesson_id: lesson for lesson in lessons}
    learnt = Learnt(
        skill=SKILL,
        clusters=clusters,
        evidence={one.cluster_id: _evidence([by_id[i] for i in one.lesson_ids]) for one in clusters},
        runs=len({lesson.trace_id for lesson in lessons}),
    )
    report = publish_learnt(DataPaths(root), Settings(data=root), learnt, now=at)
    event(f"rules: {min(report.rules, 3)} or more")
    return read_tree(report.path).files


def _evidence(lessons: Sequence[Lesson]) -> ClusterEvidence:
    quotes = [
        EvidenceQuote(**shown.model_dump(), source_uri=f"inbox/{shown.trace_id}")
        for lesson in lessons
        for shown in lesson.evidence
    ]
    return ClusterEvidence(tuple(sorted(quotes, key=lambda quote: quote.trace_id)), len(quotes))


@given(lessons=st.lists(any_lesson, min_size=12, max_size=40), random=st.randoms())
@settings(deadline=None, max_examples=50)
def test_any_order_of_the_same_lessons_gives_the_same_bytes(lessons: list[Lesson], random: Random) -> None:
    shuffled = list(lessons)
    random.shuffle(shuffled)

    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        assert published(Path(one), lessons) == published(Path(other), shuffled)


@given(
    batches=st.lists(st.lists(any_lesson, min_size=4, max_size=20), min_size=2, max_size=4),
    random=st.randoms(),
)
@settings(deadline=None, max_examples=40)
def test_batch_after_batch_gives_the_bytes_of_all_at_once(
    batches: list[list[Lesson]], random: Random
) -> None:
    with TemporaryDirectory() as step_by_step, TemporaryDirectory() as at_once:
        arrived: list[Lesson] = []
        for day, batch in enumerate(batches):
            arrived += batch
            last = published(Path(step_by_step), arrived, at=NOW + timedelta(days=day))
        random.shuffle(arrived)

        assert last == published(Path(at_once), arrived)


@pytest.mark.slow
@given(lessons=st.lists(any_lesson, min_size=12, max_size=40), random=st.randoms(), cuts=st.integers(1, 4))
@settings(deadline=None, max_examples=8)
def test_any_batching_in_the_store_gives_the_same_bytes(
    lessons: list[Lesson], random: Random, cuts: int
) -> None:
    shuffled = list(lessons)
    random.shuffle(shuffled)
    size = -(-len(shuffled) // cuts)
    parts = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]

    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        assert through_the_store(Path(one), [lessons]) == through_the_store(Path(other), parts)


def through_the_store(root: Path, batches: Sequence[Sequence[Lesson]]) -> Files:
    """The directory after each batch has landed, was consolidated and published, one after the other."""
    config, paths = Settings(data=root), DataPaths(root)
    store = Store(paths)
    traces = {lesson.trace_id for batch in batches for lesson in batch}
    records = [record_of(user("hello"), trace_id=trace_id) for trace_id in sorted(traces)]
    store.stage({"batch": "traces"}, trace_frames(records, "traces"))
    for number, batch in enumerate(batches):
        distinct = {lesson.lesson_id: lesson for lesson in batch}
        store.stage({"batch": f"b{number}"}, lessons_frames(distinct.values(), f"b{number}"))
        consolidate_skill(store, config, SKILL, PlainMerger())
        report = publish_skill(store, paths, config, SKILL, now=NOW + timedelta(days=number))
    return read_tree(report.path).files


@pytest.mark.slow
def test_samples_that_come_in_two_halves_give_the_skills_that_all_of_them_give(tmp_path: Path) -> None:
    files = sorted(path.relative_to(INBOX) for path in INBOX.rglob("*") if path.is_file())
    halves, whole = (
        pipeline_at(Settings(data=tmp_path / "halves")),
        pipeline_at(Settings(data=tmp_path / "all")),
    )

    after_half = brought_up_to_date(halves, files[::2], NOW)
    in_two = brought_up_to_date(halves, files[1::2], NOW + timedelta(days=1))
    at_once = brought_up_to_date(whole, files, NOW + timedelta(days=2))

    assert set(in_two) == {"spreadsheet-editing", "sql-analytics"}
    assert in_two == at_once
    assert all(in_two[skill] != after_half[skill] for skill in in_two)
    assert all(check_skill_directory(whole.paths.skills / skill) == [] for skill in at_once)


def brought_up_to_date(pipeline: Pipeline, files: Iterable[Path], now: datetime) -> dict[str, Files]:
    """The skills once these sample files have landed; only what is new is read."""
    for file in files:
        target = pipeline.paths.inbox / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(INBOX / file, target)
    plan_inbox(pipeline)
    batches = unfinished_batches(pipeline)
    ingest_batches(pipeline.store, pipeline.paths, pipeline.settings, batches)
    analyse_batches(pipeline.store, pipeline.settings, [batch.key for batch in batches])
    for skill in sorted({batch.skill for batch in batches}):
        analyse_skill(pipeline.store, pipeline.settings, skill)
        consolidate_skill(pipeline.store, pipeline.settings, skill, StatisticalMerger())
        publish_skill(pipeline.store, pipeline.paths, pipeline.settings, skill, now=now)
    skills = status_counts(pipeline.store)["skill"].to_list()
    return {skill: read_tree(pipeline.paths.skills / skill).files for skill in skills}
