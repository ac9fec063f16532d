"""What `t2s status` counts."""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline.commands.status import status
from t2s_pipeline.pipeline import pipeline_at
from t2s_pipeline.settings import Settings
from t2s_pipeline_tests.traces.samples import chat, write_lines


def test_files_that_no_run_has_seen_are_left_to_do(tmp_path: Path) -> None:
    write_lines(tmp_path / "inbox" / "s" / "a.jsonl", [chat("a"), chat("b")])

    found = status(pipeline_at(Settings(data=tmp_path)))

    assert [(left.skill, left.batches) for left in found.left] == [("s", 1)]


def test_looking_at_a_folder_without_an_inbox_makes_none(tmp_path: Path) -> None:
    found = status(pipeline_at(Settings(data=tmp_path)))

    assert (found.skills, found.left) == ([], [])
    assert not (tmp_path / "inbox").exists()
