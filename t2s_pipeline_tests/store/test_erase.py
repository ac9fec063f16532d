"""Rows that must go for good: all of a trace, out of every table and out of the file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from t2s_pipeline.analysts.lesson import Evidence
from t2s_pipeline.errors import StoreBusy
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store.frames import frame, lessons_frames, trace_frames
from t2s_pipeline.store.store import Store
from t2s_pipeline.store.tables import tables
from t2s_pipeline_tests.builders import record_of, user
from t2s_pipeline_tests.consolidation.builders import lesson

GONE, STAYS = "t-0000000000000001", "t-0000000000000002"


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path)


@pytest.fixture
def store(paths: DataPaths) -> Store:
    """Two traces; the second one's contrast lesson quotes the first."""
    store = Store(paths, lock_timeout_s=0.2)
    own = lesson(GONE)
    shown = (*lesson(STAYS).evidence, Evidence(trace_id=GONE, first_step=1, last_step=1, quote="q"))
    contrast = lesson(STAYS, pattern="contrast").model_copy(update={"evidence": shown})
    kept = lesson(STAYS)
    records = [record_of(user(f"say {trace_id}"), trace_id=trace_id) for trace_id in (GONE, STAYS)]
    held = [
        {
            "trace_id": one,
            "batch": "b1",
            "skill": "s",
            "kind": "k",
            "step_id": 1,
            "place": "p",
            "excerpt": "e",
        }
        for one in (GONE, STAYS)
    ]
    members = [
        {"cluster_id": "c-1", "skill": "s", "lesson_id": one.lesson_id} for one in (own, contrast, kept)
    ]
    call = {"call_id": "m-1", "batch": "b1", "purpose": "analyst.error", "skill": "s", "trace_id": GONE}
    call |= {"model": "m", "cost_usd": 0.5, "latency_s": 1.0, "attempts": 1, "from_cache": False}
    call |= {"status": "invalid", "error": "the reply said ..."}
    store.replace(
        {"batch": "b1"},
        {
            **trace_frames(records, "b1"),
            **lessons_frames([own, contrast, kept], "b1"),
            "held": frame("held", held),
            "llm_calls": frame("llm_calls", [call]),
        },
    )
    store.replace({"skill": "s"}, {"cluster_lessons": frame("cluster_lessons", members)})
    return store


def mentions(store: Store, value: str) -> dict[str, int]:
    """Rows of every table in which a value occurs anywhere."""
    counts = {
        name: store.query(f"SELECT count(*) AS n FROM {name} AS row WHERE contains(row::VARCHAR, ?)", [value])
        for name in tables()
    }
    return {name: int(found["n"][0]) for name, found in counts.items() if found["n"][0]}


def test_a_trace_goes_from_every_table_and_takes_the_lessons_that_quote_it_along(store: Store) -> None:
    removed = store.erase_traces([GONE])

    assert removed == {
        "traces": 1,
        "steps": 1,
        "held": 1,
        "lessons": 2,
        "evidence": 3,
        "cluster_lessons": 2,
    }
    assert mentions(store, GONE) == {}
    assert mentions(store, STAYS) == {"traces": 1, "steps": 1, "held": 1, "lessons": 1, "evidence": 1}


def test_every_table_that_knows_traces_is_erased_from() -> None:
    """Tables come and go: whichever names a trace is covered without being listed anywhere."""
    about_traces = {name for name, table in tables().items() if "trace_id" in table.columns}

    assert about_traces >= {
        "traces",
        "steps",
        "actions",
        "lessons",
        "evidence",
        "redactions",
        "held",
        "releases",
    }


def test_what_was_paid_stays_in_the_books(store: Store) -> None:
    store.erase_traces([GONE])

    calls = store.query("SELECT trace_id, error, cost_usd FROM llm_calls").rows()
    assert calls == [(None, None, 0.5)]


def test_erasing_again_removes_nothing(store: Store) -> None:
    store.erase_traces([GONE])

    assert store.erase_traces([GONE]) == {}


def test_what_is_staged_does_not_bring_a_trace_back(store: Store) -> None:
    late = trace_frames([record_of(user("x"), trace_id="t-late")], "b2")
    store.stage({"batch": "b2"}, late)

    store.erase_traces(["t-late"])

    assert mentions(store, "t-late") == {}


def test_the_bytes_are_in_the_file_until_it_is_written_anew(paths: DataPaths) -> None:
    store = Store(paths)
    # Digits that do not compress, so that they stand in the file as they are.
    secret = "q8Zr-f1Xw-77Ko"
    records = [
        record_of(user(f"{number:x} {secret if number == 7 else 'nothing'}"), trace_id=f"t-{number}")
        for number in range(40)
    ]
    store.replace({"batch": "b1"}, trace_frames(records, "b1"))
    before = secret.encode() in paths.database.read_bytes()
    store.erase_traces(["t-7"])

    store.write_anew()

    assert before
    assert secret.encode() not in paths.database.read_bytes()
    assert store.query("SELECT count(*) AS n FROM traces")["n"][0] == 39
    assert sorted(path.name for path in paths.root.glob("t2s.duckdb*")) == ["t2s.duckdb"]


def test_versions_of_one_skill_can_be_taken_off_the_list(store: Store) -> None:
    for skill in ("a", "b"):
        rows = [
            {"skill": skill, "version": version, "created_at": "2026", "rules": 0, "lessons": 0}
            | {"published": False, "body": "{}"}
            for version in ("1", "2")
        ]
        store.replace({"skill": skill}, {"versions": frame("versions", rows)})

    store.erase_versions("a", ["1"])

    left = store.query("SELECT skill, version FROM versions ORDER BY ALL").rows()
    assert left == [("a", "2"), ("b", "1"), ("b", "2")]


def test_nothing_is_removed_while_another_program_has_the_database(store: Store, paths: DataPaths) -> None:
    with duckdb.connect(paths.database, config={"threads": 1}), pytest.raises(StoreBusy):
        store.erase_traces([GONE])

    assert "traces" in mentions(store, GONE)
