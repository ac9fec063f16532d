"""Planning: which files become which batches."""

from __future__ import annotations

import os
import re
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.traces.format import SourceFile
from t2s_pipeline.traces.formats import recognise
from t2s_pipeline.traces.inbox import Batch, _Landed, _pieces, _Room, all_batches, load_batch, plan_batches
from t2s_pipeline.traces.sniffing import look_at
from t2s_pipeline_tests.traces.samples import chat, claude_session, read, tau_run, write, write_lines


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    return DataPaths(tmp_path / "data")


def land(paths: DataPaths, name: str, count: int, *, first: int = 0) -> Path:
    """A chat file with `count` traces in the inbox."""
    return write_lines(paths.inbox / name, [chat(f"{name}-{n}") for n in range(first, first + count)])


def plan(paths: DataPaths, **keys: Any) -> list[Batch]:
    return plan_batches(paths, Settings(data=paths.root, **keys))


def slices(batches: list[Batch]) -> list[tuple[str, int, int | None]]:
    return [
        (Path(part.path).name, part.first_record, part.records) for batch in batches for part in batch.slices
    ]


def test_nothing_in_the_inbox_gives_nothing(paths: DataPaths) -> None:
    assert plan(paths) == []
    paths.inbox.mkdir(parents=True)
    assert plan(paths) == []


def test_files_belong_to_the_skill_of_their_first_folder(paths: DataPaths) -> None:
    land(paths, "Air Line_2/deep/a.jsonl", 1)
    land(paths, "b.jsonl", 1)

    batches = plan(paths)

    assert {batch.skill for batch in batches} == {"air-line-2", "default"}


def test_small_files_share_a_batch_and_large_files_are_cut(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", 3)
    land(paths, "s/b.jsonl", 10)

    batches = plan(paths, batch_traces=5)

    assert [batch.traces for batch in batches] == [5, 5, 3]
    assert slices(batches) == [
        ("a.jsonl", 0, None),
        ("b.jsonl", 0, 2),
        ("b.jsonl", 2, 5),
        ("b.jsonl", 7, 3),
    ]


def test_a_large_landing_grows_its_batches_instead_of_their_number(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", 100)

    batches = plan(paths, batch_traces=2, max_batches_per_landing=4)

    assert [batch.traces for batch in batches] == [25, 25, 25, 25]


def test_a_batch_of_large_traces_holds_fewer_of_them(paths: DataPaths) -> None:
    text = "x" * 300_000
    write_lines(paths.inbox / "s" / "a.jsonl", [{**chat(f"a-{n}"), "note": text} for n in range(10)])
    land(paths, "s/b.jsonl", 3)

    batches = plan(paths, batch_mb=1)

    assert [batch.traces for batch in batches] == [3, 3, 3, 4]


@settings(max_examples=200, deadline=None)
@given(
    files=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 2_000)), min_size=1, max_size=12),
    records=st.integers(1, 30),
    size=st.integers(1, 500),
)
def test_the_pieces_hold_every_record_once_in_order(
    files: list[tuple[int, int]], records: int, size: int
) -> None:
    landed = [
        _Landed(path=f"f{n:02}", skill="s", sha256="x", size=size, records=count, outcomes="", copy_of=None)
        for n, (count, size) in enumerate(files)
    ]
    mean = {one.path: one.size / one.records for one in landed}

    pieces = list(_pieces(landed, _Room(records, size)))

    covered = []
    for piece in pieces:
        held = sum(count for _, count, _ in piece)
        assert held == 1 or sum(count * mean[part.path] for part, count, _ in piece) <= size + 1e-3
        assert held <= records
        for part, count, _ in piece:
            covered += [(part.path, part.first_record + n) for n in range(count)]
    assert covered == [(one.path, record) for one in landed for record in range(one.records)]
    if size >= sum(one.size for one in landed):
        assert len(pieces) == -(-sum(one.records for one in landed) // records)


def test_keys_are_valid_and_sort_in_landing_order(paths: DataPaths) -> None:
    keys = []
    for landing in range(3):
        land(paths, f"s/{landing}.jsonl", 30)
        keys += [batch.key for batch in plan(paths, batch_traces=2)]

    assert keys == sorted(keys)
    assert len(set(keys)) == 45
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,100}", key) for key in keys)


def test_a_longest_skill_name_still_gives_valid_keys(paths: DataPaths) -> None:
    land(paths, f"{'x' * 200}/a.jsonl", 1)

    (batch,) = plan(paths)

    assert len(batch.skill) == 64
    assert len(batch.key) <= 100


def test_planning_again_gives_nothing_and_manifests_can_be_loaded(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", 3)

    batches = plan(paths)

    assert plan(paths) == []
    assert all_batches(paths) == batches
    assert load_batch(paths, batches[0].key) == batches[0]


def test_touching_a_file_plans_nothing_even_when_the_shortcut_is_lost(paths: DataPaths) -> None:
    path = land(paths, "s/a.jsonl", 3)
    plan(paths)
    os.utime(path, ns=(1, 1))
    assert plan(paths) == []

    (paths.batches / ".seen.json").unlink()

    assert plan(paths) == []


def test_planning_that_was_interrupted_is_made_good(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", 6)
    first, *_ = plan(paths, batch_traces=2)
    (paths.batches / f"{first.key}.json").unlink()

    again = plan(paths, batch_traces=2)

    assert sum(batch.traces for batch in again) == 6


def test_without_manifests_everything_is_planned_anew(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", 2)
    (batch,) = plan(paths)
    (paths.batches / f"{batch.key}.json").unlink()

    assert plan(paths) == [batch]


def test_a_changed_file_is_a_new_landing(paths: DataPaths) -> None:
    land(paths, "s/a.jsonl", 3)
    (first,) = plan(paths)
    land(paths, "s/a.jsonl", 4)

    (second,) = plan(paths)

    assert second.key > first.key
    assert second.traces == 4


def test_a_file_that_is_put_back_to_what_it_was_is_a_new_landing(paths: DataPaths) -> None:
    landings = []
    for content in (2, 3, 2):
        land(paths, "s/a.jsonl", content)
        landings.append([batch.key for batch in plan(paths)])

    assert landings == [["s.00001.0000"], ["s.00002.0000"], ["s.00003.0000"]]
    assert plan(paths) == []


def test_a_file_with_the_bytes_that_another_one_held_before_is_no_copy(paths: DataPaths) -> None:
    first = land(paths, "s/a.jsonl", 2).read_bytes()
    plan(paths)
    land(paths, "s/a.jsonl", 3)
    write(paths.inbox / "s" / "b.jsonl", first)

    planned = {Path(part.path).name: part.copy_of for batch in plan(paths) for part in batch.slices}

    assert planned == {"a.jsonl": None, "b.jsonl": None}


def test_a_copy_of_a_planned_file_is_planned_as_a_copy(paths: DataPaths) -> None:
    path = land(paths, "s/a.jsonl", 3)
    plan(paths)
    write(paths.inbox / "s" / "copy.jsonl", path.read_bytes())

    (batch,) = plan(paths)

    assert batch.slices[0].copy_of == "inbox/s/a.jsonl"
    assert (batch.traces, batch.slices[0].records) == (3, 3)


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.jsonl",
        ".git/x.jsonl",
        "a.jsonl.tmp",
        "a.part",
        "a.jsonl~",
        "README.md",
        "LICENSE",
        "outcomes.csv",
        "outcomes.jsonl",
        "session-1/subagents/agent-x.meta.json",
    ],
)
def test_files_that_are_no_traces_are_not_planned(paths: DataPaths, name: str) -> None:
    land(paths, f"s/{name}", 1)

    assert plan(paths) == []


def test_a_file_that_may_still_be_written_to_waits_for_the_next_call(paths: DataPaths) -> None:
    path = land(paths, "s/a.jsonl", 1)
    os.utime(path, (1000, 1000))
    config = Settings(data=paths.root)

    early = plan_batches(paths, config, quiet_before=999)
    later = plan_batches(paths, config, quiet_before=1001)

    assert early == []
    assert len(later) == 1


def test_a_session_is_one_trace_and_a_container_as_many_as_it_holds(paths: DataPaths) -> None:
    write_lines(paths.inbox / "s" / "session.jsonl", claude_session())
    write(paths.inbox / "t" / "gpt-airline.json", [tau_run(n) for n in range(7)])

    assert {batch.skill: batch.traces for batch in plan(paths)} == {"s": 1, "t": 7}


def test_a_changed_outcome_file_brings_its_batches_back(paths: DataPaths) -> None:
    land(paths, "s/deep/a.jsonl", 1)
    land(paths, "other/b.jsonl", 1)
    before = plan(paths)
    write(paths.inbox / "s" / "outcomes.csv", "task_id,success\nx,1\n")

    again = plan(paths)

    assert [batch.key for batch in again] == [batch.key for batch in before if batch.skill == "s"]
    assert plan(paths) == []


def test_links_are_planned_once_so_that_their_refusal_is_seen(paths: DataPaths, tmp_path: Path) -> None:
    inside = land(paths, "s/a.jsonl", 1)
    outside = write_lines(tmp_path / "outside.jsonl", [chat()])
    (paths.inbox / "s" / "out.jsonl").symlink_to(outside)
    (paths.inbox / "s" / "dangling.jsonl").symlink_to(tmp_path / "nowhere")
    (paths.inbox / "s" / "folder").symlink_to(tmp_path)
    (paths.inbox / "s" / "twin").symlink_to(inside.parent)

    batches = plan(paths)

    assert sorted(name for name, _, _ in slices(batches)) == [
        "a.jsonl",
        "dangling.jsonl",
        "folder",
        "out.jsonl",
    ]
    assert plan(paths) == []


def test_an_unreadable_file_is_planned_again_when_it_can_be_read(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(paths, "s/a.jsonl", 2)
    whole = Path.open

    def refuse(path: Path, *arguments: Any, **keys: Any) -> Any:
        if path.suffix == ".jsonl":
            raise PermissionError(13, "Permission denied")
        return whole(path, *arguments, **keys)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        first = plan(paths)
        repeated = plan(paths)
    second = plan(paths)

    assert [batch.traces for batch in first] == [1]
    assert repeated == []
    assert [batch.traces for batch in second] == [2]


def _plan_in_another_process(root: str) -> list[str]:
    return [batch.key for batch in plan(DataPaths(Path(root)), batch_traces=2)]


def test_processes_that_plan_at_once_plan_every_file_once(paths: DataPaths) -> None:
    for number in range(12):
        land(paths, f"s/{number:02}.jsonl", 3)

    with ProcessPoolExecutor(4) as pool:
        planned = [key for keys in pool.map(_plan_in_another_process, [str(paths.root)] * 4) for key in keys]

    assert len(planned) == len(set(planned)) == 18
    assert sum(batch.traces for batch in all_batches(paths)) == 36


@pytest.mark.parametrize("error", [zlib.error("bad"), EOFError(), RuntimeError("odd"), AssertionError()])
def test_a_file_that_no_importer_can_read_is_planned_and_so_is_every_other(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def records(source: SourceFile) -> NoReturn:  # noqa: ARG001 - stands for that of a format
        raise error

    land(paths, "s/a.jsonl", 2)
    write(paths.inbox / "s" / "b.json", tau_run())
    found = recognise(look_at(paths.inbox / "s" / "a.jsonl", Settings()))
    monkeypatch.setattr(found, "records", records)

    (batch,) = plan(paths)
    traces, quarantined = read(paths.inbox / "s" / "a.jsonl")

    assert slices([batch]) == [("a.jsonl", 0, None), ("b.json", 0, None)]
    assert batch.traces == 2
    assert traces == []
    assert type(error).__name__ in quarantined[0].reason
