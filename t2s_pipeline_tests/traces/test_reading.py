"""From a file to traces and quarantined records, for good files and for bad ones."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.reading import count_records
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.traces.samples import (
    chat,
    claude_session,
    episode,
    read,
    read_one,
    tau_run,
    write,
    write_lines,
)

LINE = json.dumps(chat("a"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n\n\t", "only white space"),
        (bytes(range(256)) * 20, "binary"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "an image"),
        (gzip.compress(LINE.encode()), "gzip-compressed"),
        ((LINE + "\n").encode("utf-16"), "UTF-16"),
        ((LINE + "\n").encode("utf-16-le"), "UTF-16"),
        ((LINE + "\n").encode("utf-32"), "UTF-32"),
        (LINE.replace("done", "café").encode("latin-1"), "Latin-1"),
        (b"hello\nworld\n", "neither JSON nor JSON lines"),
        (b'{"foo": 1, "bar": 2}', "its keys: foo, bar"),
        (b"[]", "no records"),
        (b"[1, 2, 3]", "not a known trace format"),
        (LINE[:-20].encode(), "truncated"),
        (json.dumps([chat()], indent=2)[:60].encode(), "truncated"),
        (b"[" * 100_000, "truncated"),
        (b'{"messages": []}', "no steps"),
    ],
)
def test_a_file_that_is_no_trace_is_quarantined_with_a_reason_a_person_understands(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    traces, quarantined = read(write(tmp_path / "file.jsonl", content))

    assert traces == []
    (one,) = quarantined
    assert reason in one.reason


def test_a_zip_that_is_no_log_is_quarantined(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.eval", "w") as archive:
        archive.writestr("a.txt", "x")

    _, quarantined = read(tmp_path / "x.eval")

    assert "zip" in quarantined[0].reason


def test_bad_lines_are_quarantined_with_their_number_and_good_lines_go_in(tmp_path: Path) -> None:
    lines = [chat("a"), "not json", chat("b"), '{"id": "c", "messages": [{"ro', "", chat("d", tool=False)]

    traces, quarantined = read(write_lines(tmp_path / "runs.jsonl", lines))

    assert [one.task_id for one in traces] == ["task-a", "task-b", "task-d"]
    assert [one.uri for one in quarantined] == ["runs.jsonl#L2", "runs.jsonl#L4"]
    assert all(one.sha256 for one in quarantined)


def test_a_broken_first_line_does_not_hide_the_rest(tmp_path: Path) -> None:
    traces, quarantined = read(write_lines(tmp_path / "runs.jsonl", [LINE[:50], chat("b"), chat("c")]))

    assert len(traces) == 2
    assert "truncated" in quarantined[0].reason


@pytest.mark.parametrize("where", ["first", "middle", "only"])
def test_a_line_above_the_limit_is_skipped_without_loading_it(tmp_path: Path, where: str) -> None:
    huge = json.dumps(chat("big", answer="x" * 3_000_000))
    lines: dict[str, list[Any]] = {
        "first": [huge, chat("a")],
        "middle": [chat("a"), huge, chat("b")],
        "only": [huge],
    }

    traces, quarantined = read(
        write_lines(tmp_path / "runs.jsonl", lines[where]), settings=Settings(max_record_mb=1)
    )

    assert len(traces) == len(lines[where]) - 1
    assert "3 MB is above the limit of 1 MB" in quarantined[0].reason


def test_an_element_above_the_limit_is_skipped_and_the_others_are_read(tmp_path: Path) -> None:
    big = tau_run(1)
    big["traj"][1]["content"] = "x" * 2_000_000
    path = write(tmp_path / "gpt-airline.json", [tau_run(0), big, tau_run(2)])

    traces, quarantined = read(path, settings=Settings(max_record_mb=1))

    assert [one.task_id for one in traces] == ["0", "2"]
    assert quarantined[0].uri.endswith("#/1")


def test_a_session_above_the_limit_is_quarantined(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", claude_session("x" * 2_000_000))

    _, quarantined = read(path, settings=Settings(max_record_mb=1))

    assert "session of 2 MB is above the limit" in quarantined[0].reason


def test_one_id_with_two_contents_is_a_contradiction_and_the_same_bytes_are_not(tmp_path: Path) -> None:
    lines = [chat("a"), chat("a"), chat("a", answer="other")]

    traces, quarantined = read(write_lines(tmp_path / "runs.jsonl", lines))

    assert len(traces) == 2
    assert traces[0].trace_id == traces[1].trace_id
    assert [one.uri for one in quarantined] == ["runs.jsonl#L3"]
    assert "already used at L1" in quarantined[0].reason


def test_one_id_in_several_attempts_is_no_contradiction(tmp_path: Path) -> None:
    lines = [chat("a", trial=0), chat("a", trial=1, answer="other")]

    traces, quarantined = read(write_lines(tmp_path / "runs.jsonl", lines))

    assert len(traces) == 2
    assert quarantined == []


def test_a_contradiction_is_found_wherever_the_file_is_sliced(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "runs.jsonl", [chat("a"), chat("b"), chat("a", answer="other"), chat("c")])

    traces, quarantined = read(path, first_record=2, records=1)

    assert traces == []
    assert "already used at L1" in quarantined[0].reason


def test_permission_and_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write_lines(tmp_path / "runs.jsonl", [chat()])
    _, gone = read(tmp_path / "absent.jsonl")
    monkeypatch.setattr(Path, "open", refuse)
    _, denied = read(path)

    assert "the file is gone" in gone[0].reason
    assert "permission denied" in denied[0].reason


def test_what_is_not_a_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")

    _, quarantined = read(tmp_path / "pipe.jsonl")

    assert quarantined[0].reason == "not a regular file"


def test_json_that_is_not_strict_is_repaired_and_reported(tmp_path: Path) -> None:
    lines = [
        LINE.replace("1.0", "NaN"),
        json.dumps(chat("b")).replace("done", "\\ud83d half a pair"),
        json.dumps(chat("c")).replace("done", "raw\ttab"),
        json.dumps(chat("d", extra_number=10**30)),
    ]

    traces, quarantined = read(write_lines(tmp_path / "runs.jsonl", lines))

    assert quarantined == []
    assert [one.outcome.status for one in traces] == ["unknown", "success", "success", "success"]
    assert all(any("repaired" in warning for warning in one.source.warnings) for one in traces[:3])
    for one in traces:
        one.model_dump_json()


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", [chat("a"), chat("b")])
    windows = write(tmp_path / "windows.jsonl", b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n"))

    assert [one.trace_id for one in read(windows)[0]] == [one.trace_id for one in read(plain)[0]]


def test_the_same_bytes_give_the_same_id_and_another_skill_another(tmp_path: Path) -> None:
    one = read_one(write_lines(tmp_path / "a.jsonl", [chat()]))
    again = read_one(write_lines(tmp_path / "other" / "b.jsonl", [chat()]))

    assert one.trace_id == again.trace_id
    assert one.source.sha256 == again.source.sha256


def test_a_large_first_record_does_not_hide_the_format(tmp_path: Path) -> None:
    lines = [chat("big", answer="x" * 1_500_000), chat("b")]

    traces, quarantined = read(write_lines(tmp_path / "runs.jsonl", lines))

    assert len(traces) == 2
    assert quarantined == []


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("count", [1, 2, None])
def test_a_slice_gives_exactly_its_records(tmp_path: Path, first: int, count: int | None) -> None:
    path = write_lines(tmp_path / "runs.jsonl", [chat(str(number)) for number in range(5)])

    traces, _ = read(path, first_record=first, records=count)

    stop = None if count is None else first + count
    assert [one.task_id for one in traces] == [f"task-{number}" for number in range(5)][first:stop]


FILES: list[tuple[str, bytes]] = [
    ("runs.jsonl", "".join(json.dumps(chat(str(n))) + "\n" for n in range(4)).encode()),
    ("runs.json", json.dumps([chat(str(n)) for n in range(3)], indent=1).encode()),
    ("gpt-4o-airline.json", json.dumps([tau_run(n) for n in range(3)]).encode()),
    ("ic_sql_x.json", json.dumps({str(n): episode(n) for n in range(3)}).encode()),
    ("s.jsonl", "".join(json.dumps(line) + "\n" for line in claude_session()).encode()),
]

mutations = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "insert", "flip", "repeat"]),
        st.floats(0, 1),
        st.binary(min_size=1, max_size=6) | st.sampled_from([b"\n", b'"', b"{", b"}", b"]", b"\\", b"null"]),
    ),
    max_size=4,
)


def mutated(raw: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for how, where, with_ in changes:
        at = int(where * len(raw))
        if how == "cut":
            raw = raw[:at]
        elif how == "drop":
            raw = raw[:at] + raw[at + len(with_) :]
        elif how == "insert":
            raw = raw[:at] + with_ + raw[at:]
        elif how == "flip":
            raw = raw[:at] + with_ + raw[at + len(with_) :]
        else:
            raw = raw[:at] + raw[at // 2 :]
    return raw


@settings(max_examples=150, deadline=None)
@given(file=st.sampled_from(FILES), changes=mutations)
def test_a_damaged_file_never_crashes_and_always_accounts_for_itself(
    file: tuple[str, bytes], changes: list[tuple[str, float, bytes]]
) -> None:
    """Whatever is done to a file: it gives at least one trace or one reason, and each trace is valid."""
    name, raw = file
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / name, mutated(raw, changes))

        traces, quarantined = read(path)

        assert traces or quarantined
        assert all(one.trajectory.steps for one in traces)
        assert all(one.reason for one in quarantined)
        assert count_records(path, Settings()) >= 1


@settings(max_examples=150, deadline=None)
@given(
    damaged=st.lists(
        st.sampled_from(["good", "cut", "text", "number", "list", "no steps", "blank"]),
        min_size=1,
        max_size=8,
    ),
    data=st.data(),
)
def test_of_a_jsonl_file_every_line_is_read_or_quarantined(damaged: list[str], data: st.DataObject) -> None:
    """read + quarantined = lines that are not blank, in order, as long as one line shows the format."""
    lines: list[str] = [json.dumps(chat("first"))]
    for number, kind in enumerate(damaged):
        whole = json.dumps(chat(str(number)))
        lines.append(
            {
                "good": whole,
                "cut": whole[: data.draw(st.integers(1, len(whole) - 1))],
                "text": "Traceback (most recent call last):",
                "number": "42",
                "list": "[1]",
                "no steps": '{"messages": []}',
                "blank": "",
            }[kind]
        )
    with tempfile.TemporaryDirectory() as folder:
        path = write_lines(Path(folder) / "runs.jsonl", lines)

        traces, quarantined = read(path)

        records = sum(1 for line in lines if line)
        assert len(traces) == 1 + damaged.count("good")
        assert len(traces) + len(quarantined) == records
        assert count_records(path, Settings()) == records


@settings(max_examples=60, deadline=None)
@given(runs=st.integers(1, 6), cut=st.floats(0, 1), indent=st.sampled_from([None, 1]))
def test_of_a_cut_json_list_every_whole_element_is_read(runs: int, cut: float, indent: int | None) -> None:
    """Elements that end before the cut are read; what is cut is one quarantined record."""
    elements = [json.dumps(tau_run(number), indent=indent) for number in range(runs)]
    raw = "[" + ",".join(elements) + "]"
    kept = raw[: int(cut * len(raw))]
    whole = sum(1 for n in range(runs) if len(kept) >= 1 + sum(len(one) + 1 for one in elements[: n + 1]) - 1)
    with tempfile.TemporaryDirectory() as folder:
        traces, quarantined = read(write(Path(folder) / "gpt-airline.json", kept))

        assert len(traces) == whole
        assert len(quarantined) == (0 if kept == raw else 1)


def test_redaction_sees_every_trace_before_it_leaves_and_does_not_change_its_id(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "runs.jsonl", [chat("a"), chat("b")])

    def hide(record: TraceRecord) -> TraceRecord:
        return record.model_copy(update={"agent": "<hidden>"})

    plain, _ = read(path)
    hidden, _ = read(path, redact=hide)

    assert [one.agent for one in hidden] == ["<hidden>", "<hidden>"]
    assert [one.trace_id for one in hidden] == [one.trace_id for one in plain]


def test_a_reason_does_not_repeat_what_the_line_holds(tmp_path: Path) -> None:
    lines = [
        chat("a"),
        "sk-secret-key-1234",
        '{"messages": "sk-secret-key-1234"}',
        '{"a": "sk-secret-key-1234',
    ]

    _, quarantined = read(write_lines(tmp_path / "runs.jsonl", lines))

    assert len(quarantined) == 3
    assert all("secret" not in one.reason for one in quarantined)
