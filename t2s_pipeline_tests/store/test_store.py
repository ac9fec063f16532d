"""What one process can rely on: replacing by scope, repeating, refusing what does not fit."""

from __future__ import annotations

import logging
import pickle
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2s_pipeline.errors import StoreError
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store import store as store_module
from t2s_pipeline.store.frames import batch_stage_frame, frame, lessons_frames
from t2s_pipeline.store.stage import staged_names
from t2s_pipeline.store.store import Store
from t2s_pipeline.store.tables import SCHEMA_VERSION, tables
from t2s_pipeline_tests.store.builders import batch_tables, lesson


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path / "data")


@pytest.fixture
def store(paths: DataPaths) -> Store:
    return Store(paths, lock_timeout_s=20)


def trace_ids(store: Store) -> list[tuple[str, str]]:
    rows = store.query("SELECT batch, trace_id FROM traces ORDER BY batch, trace_id").rows()
    return [(batch, trace_id) for batch, trace_id in rows]


def everything(paths: DataPaths) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, in an order of their own."""
    with duckdb.connect(paths.database, read_only=True) as connection:
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in tables()
        }


def test_an_empty_store_answers_with_no_rows(store: Store) -> None:
    found = store.query("SELECT * FROM traces")

    assert found.is_empty()
    assert dict(found.schema) == dict(tables()["traces"].columns)


def test_a_set_that_needs_more_memory_than_loading_usually_does_gets_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LITTLE_MEMORY", "SET memory_limit = '1MB'")

    report = store.replace({"batch": "b1"}, batch_tables("b1", [f"t-{n}" for n in range(2_000)]))

    assert report.traces == 2_000
    assert report.set_aside == ()


def test_a_database_that_lost_its_end_is_told_in_one_sentence(store: Store, paths: DataPaths) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", [f"t-{number}" for number in range(2_000)]))
    whole = paths.database.read_bytes()
    paths.database.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(StoreError, match=r"cannot be used: .* Move it away and run again"):
        store.query("SELECT * FROM traces")


def test_a_store_can_be_sent_to_another_process(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))

    copy = pickle.loads(pickle.dumps(store))

    assert trace_ids(copy) == [("b1", "t-1")]


def test_a_second_write_of_a_scope_replaces_the_first(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1", "t-2"]))
    store.replace({"batch": "b2"}, batch_tables("b2", ["t-3"]))

    report = store.replace({"batch": "b1"}, batch_tables("b1", ["t-2"], steps=3))

    assert report.rows == {"traces": 1, "steps": 3, "batch_stages": 1}
    assert trace_ids(store) == [("b1", "t-2"), ("b2", "t-3")]
    assert store.query("SELECT count(*) FROM steps WHERE batch = 'b1'").item() == 3


def test_writing_the_same_again_changes_nothing(store: Store, paths: DataPaths) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1", "t-2"]))
    store.replace({"batch": "b2"}, batch_tables("b2", ["t-2", "t-3"]))
    before = everything(paths)

    again = store.replace({"batch": "b2"}, batch_tables("b2", ["t-2", "t-3"]))

    assert everything(paths) == before
    assert again.duplicates == 1


def test_a_table_that_is_not_given_keeps_its_rows_and_an_empty_one_loses_them(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))
    store.replace({"batch": "b1"}, lessons_frames([lesson("t-1")], "b1"))

    store.replace({"batch": "b1"}, {"lessons": frame("lessons")})

    assert store.query("SELECT count(*) FROM lessons").item() == 0
    assert store.query("SELECT count(*) FROM evidence").item() == 1
    assert trace_ids(store) == [("b1", "t-1")]


def test_a_finished_stage_does_not_wipe_the_other_stages_of_its_batch(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))
    done = batch_stage_frame(batch="b1", skill="sql", stage="lessons", code_version="2", lessons=4)

    store.replace({"batch": "b1"}, {"batch_stages": done})
    store.replace({"batch": "b1"}, {"batch_stages": done})

    stages = store.query("SELECT stage, lessons FROM batch_stages ORDER BY stage").rows()
    assert stages == [("lessons", 4), ("traces", 0)]


def test_a_new_version_of_a_skill_does_not_wipe_the_older_ones(store: Store) -> None:
    def version(name: str) -> pl.DataFrame:
        row = {"skill": "sql", "version": name, "created_at": "2030-01-01T00:00:00+00:00", "rules": 1}
        return frame("versions", [{**row, "lessons": 1, "published": True, "body": "{}"}])

    store.replace({"skill": "sql"}, {"versions": version("v1")})
    store.replace({"skill": "sql"}, {"versions": version("v2")})
    store.replace({"skill": "sql"}, {"versions": version("v2")})

    assert store.query("SELECT version FROM versions ORDER BY 1").rows() == [("v1",), ("v2",)]


def test_a_trace_another_batch_has_is_left_out_with_its_steps_and_counted(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))

    report = store.replace({"batch": "b2"}, batch_tables("b2", ["t-1", "t-2"]))

    assert (report.traces, report.duplicates) == (1, 1)
    assert trace_ids(store) == [("b1", "t-1"), ("b2", "t-2")]
    assert store.query("SELECT DISTINCT batch, trace_id FROM steps ORDER BY 1").rows() == trace_ids(store)
    counted = store.query("SELECT traces, duplicates FROM batch_stages WHERE batch = 'b2'").rows()
    assert counted == [(1, 1)]


def test_a_trace_that_is_twice_in_one_write_is_kept_once(store: Store) -> None:
    report = store.replace({"batch": "b1"}, batch_tables("b1", ["t-1", "t-2", "t-1"]))

    assert (report.traces, report.duplicates) == (2, 1)
    assert report.rows["steps"] == 4
    assert store.query("SELECT traces, duplicates FROM batch_stages").rows() == [(2, 1)]


def test_a_set_loaded_again_after_a_crash_before_its_removal_gives_the_same_rows(
    store: Store, paths: DataPaths, tmp_path: Path
) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))
    store.stage({"batch": "b2"}, batch_tables("b2", ["t-1", "t-2", "t-2"]))
    (name,) = staged_names(paths.stage)
    shutil.copytree(paths.stage / name, tmp_path / "copy")
    store.load_staged()
    before = everything(paths)

    shutil.move(tmp_path / "copy", paths.stage / name)
    report = store.load_staged()

    assert [loaded.name for loaded in report.sets] == [name]
    assert everything(paths) == before
    assert staged_names(paths.stage) == []


def test_many_traces_are_taken_out_in_one_write(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1", "t-2"]))
    store.replace({"batch": "b2"}, batch_tables("b2", ["t-3"]))

    store.replace({"trace_id": ["t-1", "t-3"]}, {"traces": frame("traces"), "steps": frame("steps")})
    store.replace({"trace_id": []}, {"traces": frame("traces")})

    assert trace_ids(store) == [("b1", "t-2")]
    assert store.query("SELECT DISTINCT trace_id FROM steps").rows() == [("t-2",)]


def test_sets_are_loaded_in_the_order_they_were_written(store: Store) -> None:
    for count in range(12):
        tables_of_batch = lessons_frames([lesson(f"t-{count}")], "b1")
        store.stage({"batch": "b1"}, tables_of_batch)

    report = store.load_staged()

    assert len(report.sets) == 12
    assert store.query("SELECT trace_id FROM lessons").rows() == [("t-11",)]


def test_reading_loads_what_is_staged_first(store: Store, paths: DataPaths) -> None:
    store.stage({"batch": "b1"}, batch_tables("b1", ["t-1"]))

    found = trace_ids(store)

    assert found == [("b1", "t-1")]
    assert staged_names(paths.stage) == []


def test_values_are_bound_by_place_or_by_name(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1", "t-2"]))

    by_place = store.query("SELECT count(*) FROM traces WHERE trace_id = ?", ["t-1"])
    by_name = store.query("SELECT count(*) FROM traces WHERE batch = $batch", {"batch": "b1"})

    assert (by_place.item(), by_name.item()) == (1, 2)


def test_a_long_query_draws_no_progress_bar_on_standard_output(store: Store) -> None:
    setting = store.query("SELECT value FROM duckdb_settings() WHERE name = 'enable_progress_bar'")

    assert setting.item() == "false"


def test_a_query_cannot_write(store: Store) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))

    with pytest.raises(duckdb.Error, match="read-only"):
        store.query("DELETE FROM traces")

    assert trace_ids(store) == [("b1", "t-1")]


@pytest.mark.parametrize(
    ("scope", "given_tables", "reason"),
    [
        ({"batch": "b1"}, {"robots": pl.DataFrame()}, "no table 'robots'"),
        ({"batch": "b1"}, {"traces": pl.DataFrame({"trace_id": ["t-1"]})}, "missing columns"),
        ({"batch": "b2"}, batch_tables("b1", ["t-1"]), "another batch than b2"),
        ({"skill": "sql"}, {"evidence": frame("evidence")}, "no column 'skill'"),
        ({"batch": "b1", "skill": "sql"}, {}, "a scope is one column"),
        ({"batch": ["b1", "b2"]}, batch_tables("b1", ["t-1"]), "one batch at a time"),
        ({"batch": "b1"}, {"steps": batch_tables("b1", ["t-1"])["steps"]}, "together with their traces"),
        ({"batch": "b1"}, {"quarantine": frame("quarantine", [{"batch": "b1"}])}, "no value in required"),
        (
            {"batch": "b1"},
            {"batch_stages": batch_tables("b1", [])["batch_stages"].with_columns(traces=pl.lit("many"))},
            "column types",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_before_anything_is_staged(
    store: Store, paths: DataPaths, scope: dict[str, str], given_tables: dict[str, pl.DataFrame], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        store.replace(scope, given_tables)

    assert not paths.stage.exists() or staged_names(paths.stage) == []


def damage_by_truncating(staged: Path) -> None:
    whole = (staged / "steps.parquet").read_bytes()
    (staged / "steps.parquet").write_bytes(whole[: len(whole) // 2])


def damage_inside_the_pages(staged: Path) -> None:
    whole = bytearray((staged / "traces.parquet").read_bytes())
    whole[8:200] = bytes(192)
    (staged / "traces.parquet").write_bytes(whole)


def damage_the_manifest(staged: Path) -> None:
    (staged / "manifest.json").write_text('{"scope_column": "batch"')


def damage_by_removing_a_file(staged: Path) -> None:
    (staged / "batch_stages.parquet").unlink()


def damage_by_emptying(staged: Path) -> None:
    shutil.rmtree(staged)
    staged.mkdir()


def damage_into_a_file(staged: Path) -> None:
    shutil.rmtree(staged)
    staged.write_text("not a directory")


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_truncating,
        damage_inside_the_pages,
        damage_the_manifest,
        damage_by_removing_a_file,
        damage_by_emptying,
        damage_into_a_file,
    ],
)
def test_a_damaged_set_is_moved_aside_with_a_warning_and_the_rest_is_loaded(
    store: Store,
    paths: DataPaths,
    caplog: pytest.LogCaptureFixture,
    damage: object,
) -> None:
    assert callable(damage)
    store.stage({"batch": "b1"}, batch_tables("b1", ["t-1", "t-2", "t-3"]))
    (name,) = staged_names(paths.stage)
    damage(paths.stage / name)
    store.stage({"batch": "b2"}, batch_tables("b2", ["t-9"]))

    with caplog.at_level(logging.WARNING):
        report = store.load_staged()

    assert [aside.path.name.startswith(name) for aside in report.set_aside] == [True]
    assert (report.set_aside[0].path / "reason.txt").read_text().strip() == report.set_aside[0].reason
    assert "moved to" in caplog.text
    assert trace_ids(store) == [("b2", "t-9")]
    assert staged_names(paths.stage) == []


def test_a_database_of_another_layout_is_refused_with_both_numbers(store: Store, paths: DataPaths) -> None:
    store.replace({"batch": "b1"}, batch_tables("b1", ["t-1"]))
    with duckdb.connect(paths.database) as connection:
        connection.execute("UPDATE schema_version SET version = 99")

    with pytest.raises(StoreError, match=rf"layout 99.*reads layout {SCHEMA_VERSION}.*Move it away"):
        store.replace({"batch": "b2"}, batch_tables("b2", ["t-2"]))

    assert len(staged_names(paths.stage)) == 1


def test_a_database_of_another_program_is_refused(store: Store, paths: DataPaths) -> None:
    paths.root.mkdir(parents=True)
    with duckdb.connect(paths.database) as connection:
        connection.execute("CREATE TABLE theirs (number INTEGER)")

    with pytest.raises(StoreError, match="made by another program"):
        store.query("SELECT * FROM traces")


def test_a_file_that_is_no_database_is_refused(store: Store, paths: DataPaths) -> None:
    paths.root.mkdir(parents=True)
    paths.database.write_bytes(b"not a database" * 500)

    with pytest.raises(StoreError, match=r"cannot be used: .*not a valid DuckDB"):
        store.query("SELECT * FROM traces")


def test_a_database_whose_creation_was_cut_short_is_made_anew(store: Store, paths: DataPaths) -> None:
    paths.root.mkdir(parents=True)
    paths.database.with_name("t2s.duckdb.new").write_bytes(b"half a file")

    assert store.query("SELECT * FROM traces").is_empty()


Write = tuple[str, list[int], bool]
writes = st.lists(
    st.tuples(
        st.sampled_from(["b1", "b2", "b3"]),
        st.lists(st.integers(0, 5), unique=True, max_size=4),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes)
def test_any_sequence_of_writes_leaves_the_last_one_of_each_scope(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[Write]
) -> None:
    """Law: the rows of a scope are those of the last write to it, loaded at once or later."""
    store = Store(DataPaths(tmp_path_factory.mktemp("law")), lock_timeout_s=20)

    for batch, numbers, load_now in sequence:
        rows = lessons_frames([lesson(f"t-{batch}-{number}") for number in numbers], batch)
        traces = batch_tables(batch, [f"t-{batch}-{number}" for number in numbers])
        write = store.replace if load_now else store.stage
        write({"batch": batch}, {**rows, **traces})

    last = {batch: numbers for batch, numbers, _ in sequence}
    expected = sorted((batch, f"t-{batch}-{number}") for batch, numbers in last.items() for number in numbers)
    assert trace_ids(store) == expected
    for table in ("lessons", "evidence"):
        assert store.query(f"SELECT batch, trace_id FROM {table} ORDER BY ALL").rows() == expected
    steps = store.query("SELECT batch, trace_id, count(*) FROM steps GROUP BY ALL ORDER BY ALL").rows()
    assert steps == [(*key, 2) for key in expected]


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes)
def test_a_trace_is_in_the_store_once_whatever_batches_bring_it(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[Write]
) -> None:
    """Law: after each batch is written for the last time, every trace it brought is in exactly one batch,
    its steps with it, and counts of inserted and left-out traces add up.
    """
    store = Store(DataPaths(tmp_path_factory.mktemp("law")), lock_timeout_s=20)
    for batch, numbers, load_now in sequence:
        write = store.replace if load_now else store.stage
        write({"batch": batch}, batch_tables(batch, [f"t-{number}" for number in numbers]))
    last = {batch: numbers for batch, numbers, _ in sequence}

    for batch, numbers in last.items():
        store.stage({"batch": batch}, batch_tables(batch, [f"t-{number}" for number in numbers]))
    stored = trace_ids(store)

    assert sorted(trace_id for _, trace_id in stored) == sorted(
        {f"t-{number}" for numbers in last.values() for number in numbers}
    )
    assert store.query("SELECT DISTINCT batch, trace_id FROM steps ORDER BY ALL").rows() == stored
    counts = store.query("SELECT batch, traces, duplicates FROM batch_stages ORDER BY batch").rows()
    assert counts == [
        (batch, here := sum(owner == batch for owner, _ in stored), len(last[batch]) - here)
        for batch in sorted(last)
    ]
