"""Models become rows and come back as they were."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2s_pipeline.analysts.lesson import Evidence, Lesson, RefusedLesson, Signature
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store.frames import (
    batch_stage_frame,
    clusters_frames,
    frame,
    lessons_frames,
    quarantine_frame,
    refused_lessons_frame,
    trace_frames,
)
from t2s_pipeline.store.queries import clusters_of_skill, lessons_of_skill, trace, trace_records
from t2s_pipeline.store.store import Store
from t2s_pipeline.store.tables import conform, tables
from t2s_pipeline.traces.record import Quarantined
from t2s_pipeline_tests.store.builders import cluster, lesson, record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(DataPaths(tmp_path), lock_timeout_s=20)


def test_every_builder_gives_exactly_the_columns_of_its_tables() -> None:
    built = {
        **trace_frames([record("t-1")], "b1"),
        **lessons_frames([lesson("t-1")], "b1"),
        **clusters_frames([cluster("c-1", [lesson("t-1")])]),
        "quarantine": quarantine_frame([Quarantined(skill="sql", uri="inbox/x", reason="empty")], "b1"),
        "batch_stages": batch_stage_frame(batch="b1", skill="sql", stage="traces", code_version="1"),
        "refused_lessons": refused_lessons_frame(
            [RefusedLesson(skill="sql", trace_id="t-1", analyst="a", reason="no quote", text="…")], "b1"
        ),
    }

    for name, rows in built.items():
        assert dict(rows.schema) == dict(tables()[name].columns), name
        assert conform(name, rows).equals(rows), name


def test_a_frame_without_rows_has_the_columns_of_its_table() -> None:
    for name, table in tables().items():
        assert dict(frame(name).schema) == dict(table.columns)


def test_a_row_with_a_column_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"table quarantine has no columns \['colour'\]"):
        frame("quarantine", [{"colour": "red"}])


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    written = [record("t-1", steps=4), record("t-2", status="failure", task_id=None, steps=1)]

    store.replace({"batch": "b1"}, trace_frames(written, "b1"))

    assert list(trace_records(store, ["b1"])) == written
    assert trace(store, "t-2") == written[1]
    assert trace(store, "t-3") is None


def test_records_come_back_whole_however_many_are_read_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [record(f"t-{number:02}", steps=1 + number % 5) for number in range(20)]
    for batch in ("b1", "b2"):
        half = written[:10] if batch == "b1" else written[10:]
        store.stage({"batch": batch}, trace_frames(half, batch))

    monkeypatch.setattr("t2s_pipeline.store.queries._STEPS_AT_A_TIME", 7)

    assert list(trace_records(store, ["b1", "b2"])) == written
    assert list(trace_records(store, [])) == []


def test_lessons_and_clusters_come_back_as_they_were(store: Store) -> None:
    written = sorted((lesson(f"t-{number}") for number in range(3)), key=lambda each: each.lesson_id)
    groups = [cluster("c-1", written[:2]), cluster("c-2", written[2:], placement="candidate")]

    store.replace({"batch": "b1"}, lessons_frames(written, "b1"))
    store.replace({"skill": "sql"}, clusters_frames(groups))

    assert lessons_of_skill(store, "sql") == written
    assert clusters_of_skill(store, "sql") == groups


any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(any_text, any_text, st.one_of(st.none(), any_text)), max_size=20))
def test_any_text_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, str | None]]
) -> None:
    """Law: no character is lost or changed on the way through Parquet and the database."""
    store = Store(DataPaths(tmp_path_factory.mktemp("law")), lock_timeout_s=20)
    written = [
        Lesson(
            skill="sql",
            kind="repair",
            engine="statistical",
            analyst=str(number),
            trace_id=f"t-{number:02}",
            task_id=task,
            when=when,
            do=quote,
            because="",
            section="tools",
            signature=Signature(pattern="refusal", trigger=when),
            facts={"seen": {quote: [when, None]}},
            evidence=(Evidence(trace_id=f"t-{number:02}", first_step=1, last_step=2, quote=quote),),
        )
        for number, (when, quote, task) in enumerate(texts)
    ]

    store.replace({"batch": "b1"}, lessons_frames(written, "b1"))

    assert lessons_of_skill(store, "sql") == sorted(written, key=lambda each: each.lesson_id)
    rows = store.query("SELECT when_, do_, task_id FROM lessons ORDER BY trace_id").rows()
    assert rows == texts
    quotes = store.query("SELECT quote FROM evidence ORDER BY trace_id")
    assert quotes.equals(
        pl.DataFrame({"quote": [quote for _, quote, _ in texts]}, schema={"quote": pl.String})
    )
