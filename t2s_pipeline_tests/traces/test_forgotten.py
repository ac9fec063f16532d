"""The list of traces that must not come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.traces.forgotten import Forgotten, Tombstones, add_tombstones, tombstones
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.builders import record_of, user


def stone(trace_id: str, session: str | None = None, *lessons: str) -> Forgotten:
    file = "inbox/skill/t-1.jsonl"
    return Forgotten(
        trace_id=trace_id, skill="skill", file=file, session=session, lessons=lessons, at="2026-05-04"
    )


def record(trace_id: str, session: str | None = None, *, file: str = "t-1.jsonl") -> TraceRecord:
    made = record_of(user("go"), trace_id=trace_id)
    source = made.source.model_copy(update={"uri": f"inbox/skill/{file}#L9"})
    trajectory = made.trajectory.model_copy(update={"session_id": session})
    return made.model_copy(update={"source": source, "trajectory": trajectory})


def test_a_trace_is_barred_by_its_id_and_by_its_session_in_the_same_file() -> None:
    stones = Tombstones([stone("t-1", "s-1"), stone("t-2")])

    assert stones.bars(record("t-1"))
    assert stones.bars(record("t-9", "s-1"))
    assert not stones.bars(record("t-9", "s-1", file="other.jsonl"))
    assert not stones.bars(record("t-9", None))


def test_the_list_holds_no_word_of_a_trace_and_grows(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "new")
    add_tombstones(paths, [stone("t-1"), stone("t-2")])
    add_tombstones(paths, [stone("t-1", None, "l-1"), stone("t-3")])

    assert [item.trace_id for item in tombstones(paths).items] == ["t-1", "t-2", "t-3"]
    assert tombstones(paths).items[0].lessons == ("l-1",)


def test_no_list_bars_nothing_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    empty = tombstones(paths)
    paths.forgotten.write_text('{"trace_id": "t-1"}\n')

    assert empty.items == ()
    with pytest.raises(TraceError, match=r"forgotten\.jsonl line 1"):
        tombstones(paths)
