"""The synthetic traces are what the benchmark says they are."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.reading import read_file
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.benchmarks.synthetic import ATTEMPTS, KINDS, conversation, write_inbox


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        write_inbox(tmp_path / name, 30, seed=seed)

    def bytes_of(name: str) -> list[bytes]:
        return [file.read_bytes() for file in sorted((tmp_path / name).rglob("*.jsonl"))]

    assert bytes_of("one") == bytes_of("same")
    assert bytes_of("one") != bytes_of("other")


def test_every_trace_is_read_with_its_task_outcome_and_about_thirty_steps(tmp_path: Path) -> None:
    write_inbox(tmp_path / "inbox", 24, seed=1)

    read = [
        item
        for file in sorted((tmp_path / "inbox").rglob("*.jsonl"))
        for item in read_file(file, skill=file.parent.name, uri=file.name, settings=Settings())
    ]

    records = [item for item in read if isinstance(item, TraceRecord)]
    assert len(records) == len(read) == 24
    assert {record.outcome.status for record in records} == {"success", "failure"}
    assert all(25 <= len(record.trajectory.steps) <= 45 for record in records)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.skill)
def test_tasks_are_tried_several_times_and_most_end_both_ways(kind: object) -> None:
    assert kind in KINDS
    (found,) = (known for known in KINDS if known is kind)

    rewards = defaultdict(set)
    for number in range(10 * ATTEMPTS):
        made = conversation(found, number, seed=1)
        rewards[made["task_id"]].add(made["reward"])

    assert len(rewards) == 10
    assert sum(len(ends) == 2 for ends in rewards.values()) >= 7
