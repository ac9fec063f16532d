"""Old traces count less, by their own times and never by today's date."""

from pathlib import Path

import pytest

from t2s_pipeline.consolidation.ageing import weights_by_age
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import lessons_frames, trace_frames
from t2s_pipeline.store.queries import last_times
from t2s_pipeline.store.store import Store
from t2s_pipeline_tests.builders import record_of, user
from t2s_pipeline_tests.consolidation.builders import PlainMerger, lesson


def test_each_half_life_halves_what_a_trace_counts() -> None:
    times = {
        "new": "2026-03-01T12:00:00Z",
        "old": "2026-01-30T12:00:00+00:00",
        "older": "2025-12-31T12:00:00",
    }

    assert weights_by_age(times, 30) == pytest.approx({"new": 1.0, "old": 0.5, "older": 0.25})


def test_a_trace_without_a_readable_time_is_not_taken_for_old() -> None:
    assert weights_by_age({"a": "yesterday", "b": "2026-03-01"}, 30) == {"b": 1.0}
    assert weights_by_age({}, 30) == {}


@pytest.mark.parametrize(
    ("half_life", "placement"), [(None, "skill"), (30.0, "candidate"), (3_000.0, "skill")]
)
def test_a_rule_that_old_traces_alone_support_waits_for_newer_ones(
    half_life: float | None, placement: str, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, half_life_days=half_life, min_tasks=1)
    store = Store(DataPaths(tmp_path))
    times = {"t-old": "2020-01-01T00:00:00Z", "t-new": "2026-01-01T00:00:00Z"}
    records = [
        record_of({**user("hello"), "timestamp": time}, trace_id=trace_id) for trace_id, time in times.items()
    ]
    lessons = [lesson("t-old", skill="skill"), lesson("t-new", skill="skill", trigger="no such column")]
    store.stage({"batch": "b"}, {**trace_frames(records, "b"), **lessons_frames(lessons, "b")})

    consolidate_skill(store, settings, "skill", PlainMerger())

    assert last_times(store, "skill") == times
    rows = store.query(
        "SELECT placement FROM clusters JOIN cluster_lessons USING (cluster_id, skill)"
        " JOIN lessons USING (lesson_id) WHERE trace_id = 't-old'"
    )
    assert rows["placement"].to_list() == [placement]
