"""What the rules of safety ask the store."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store import queries, safety
from t2s_pipeline.store.frames import batch_stage_frame, frame, lessons_frames, trace_frames
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.builders import call, record_of, user
from t2s_pipeline_tests.consolidation.builders import lesson


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(DataPaths(tmp_path))


def session(trace_id: str, session_id: str | None, *, uri: str, skill: str = "skill") -> TraceRecord:
    record = record_of(user("go"), trace_id=trace_id)
    return record.model_copy(
        update={
            "skill": skill,
            "source": record.source.model_copy(update={"uri": uri, "sha256": trace_id[-1] * 64}),
            "trajectory": record.trajectory.model_copy(update={"session_id": session_id}),
        }
    )


def land(store: Store, batch: str, *records: TraceRecord) -> None:
    store.replace({"batch": batch}, trace_frames(records, batch))


def test_only_steps_with_one_of_the_words_are_looked_at_for_commands(store: Store) -> None:
    record = record_of(
        user("please curl"),
        call("bash", {"command": "CURL -s x", "note": {"deep": ["a", "b"]}}),
        call("bash", {"command": "ls"}),
        call("fetch", {"url": "https://api.corp.org/curl"}),
    )
    land(store, "b1", record)

    (found,) = safety.commands_of_successes(store, "skill", ["curl"])

    assert sorted(found) == ["CURL -s x", "a", "b", "bash", "fetch", "https://api.corp.org/curl"]


def test_a_skill_without_traces_gives_no_commands(store: Store) -> None:
    assert list(safety.commands_of_successes(store, "skill", ["curl"])) == []


def test_a_session_is_told_only_where_no_other_trace_of_the_file_has_it(store: Store) -> None:
    land(
        store,
        "b1",
        session("t-1", "alone", uri="inbox/skill/a.jsonl#L1"),
        session("t-2", "shared", uri="inbox/skill/a.jsonl#L2"),
        session("t-3", "shared", uri="inbox/skill/a.jsonl#L3"),
        session("t-4", None, uri="inbox/skill/a.jsonl#L4"),
        session("t-5", "alone", uri="inbox/skill/b.jsonl#L1"),
    )

    found = safety.traces_to_forget(store, ["t-1", "t-2", "t-4", "t-9"])

    assert found.select("trace_id", "file", "session").rows() == [
        ("t-1", "inbox/skill/a.jsonl", "alone"),
        ("t-2", "inbox/skill/a.jsonl", None),
        ("t-4", "inbox/skill/a.jsonl", None),
    ]


def test_copies_and_every_lesson_that_quotes_a_trace_are_told(store: Store) -> None:
    land(store, "b1", session("t-a1", None, uri="inbox/a/x#1", skill="a"))
    land(store, "b2", session("t-b1", None, uri="inbox/b/x#1", skill="b"))
    own, other = lesson("t-a1"), lesson("t-zz")
    quoting = other.model_copy(update={"evidence": (*other.evidence, *own.evidence)})
    store.replace({"batch": "b3"}, lessons_frames([own, other, quoting], "b3"))

    (row,) = safety.traces_to_forget(store, ["t-a1"]).to_dicts()

    assert row["copies"] == ["t-b1 (skill b)"]
    assert row["lessons"] == sorted([own.lesson_id, quoting.lesson_id])


def test_counts_of_batches_are_told_where_traces_or_lessons_are_gone(store: Store) -> None:
    whole = [record_of(user("a"), trace_id="t-1"), record_of(user("b"), trace_id="t-2", infra_error=True)]
    for batch, records in (("b1", whole), ("b2", [record_of(user("c"), trace_id="t-3")])):
        teaching = sum(not record.outcome.infra_error for record in records)
        lessons = lessons_frames([lesson(record.trace_id) for record in records[:1]], batch)
        stages = [
            batch_stage_frame(
                batch=batch, skill="skill", stage="traces", code_version="1", traces=len(records)
            ),
            batch_stage_frame(
                batch=batch, skill="skill", stage="lessons", code_version="1", traces=teaching, lessons=1
            ),
        ]
        store.replace(
            {"batch": batch}, {**trace_frames(records, batch), **lessons, "batch_stages": stages[0]}
        )
        store.replace({"batch": batch}, {"batch_stages": stages[1]})
    before = safety.outdated_counts(store, ["skill"])
    store.erase_traces(["t-1"])

    found = safety.outdated_counts(store, ["skill"])
    store.replace({"batch": "b1"}, {"batch_stages": found})

    assert before.is_empty()
    assert found.select("batch", "stage", "traces", "lessons").rows() == [
        ("b1", "lessons", 0, 0),
        ("b1", "traces", 1, 0),
    ]
    assert safety.outdated_counts(store, ["skill"]).is_empty()
    assert len(queries.batch_stages(store)) == 4


def test_a_held_trace_has_one_row_with_all_its_reasons(store: Store) -> None:
    land(store, "b1", record_of(user("x"), trace_id="t-1"))
    why = [{"kind": kind, "step_id": step} for kind, step in (("override", 2), ("exfiltration", 1))]
    rows = [
        {"trace_id": "t-1", "batch": "b1", "skill": "skill", **one, "place": "tool", "excerpt": "…"}
        for one in why
    ]
    store.replace({"batch": "b1"}, {"held": frame("held", rows)})

    (row,) = safety.held_traces(store).to_dicts()

    assert row["uri"] == "inbox/skill/t-1.jsonl#L1"
    assert row["reasons"] == ["exfiltration (tool, step 1): …", "override (tool, step 2): …"]
    assert safety.held_traces(store, ["b2"]).is_empty()


def test_what_is_told_of_a_trace_that_another_batch_has_is_left_out_with_it(store: Store) -> None:
    def told(batch: str) -> dict[str, pl.DataFrame]:
        of_trace = {"trace_id": "t-1", "batch": batch, "skill": "skill"}
        hidden = {**of_trace, "kind": "token", "fingerprint": "f"}
        held = {**of_trace, "kind": "override", "step_id": 1, "place": "tool", "excerpt": "…"}
        return {"redactions": frame("redactions", [hidden]), "held": frame("held", [held])}

    for batch in ("b1", "b2", "b2"):
        traces = trace_frames([record_of(user("x"), trace_id="t-1")], batch)
        report = store.replace({"batch": batch}, {**traces, **told(batch)})

    assert report.rows == {"traces": 0, "steps": 0, "redactions": 0, "held": 0}
    assert [row["batch"] for row in safety.held_traces(store).to_dicts()] == ["b1"]
    assert store.query("SELECT batch FROM redactions").rows() == [("b1",)]
