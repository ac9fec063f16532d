"""Held traces: seen in `t2s status`, released by a person, learnt from by the next run."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.errors import TraceError
from t2s_pipeline.outstanding import plan_inbox, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import queries
from t2s_pipeline.traces.inbox import all_batches
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.assets.builders import REFUSAL, drop, pipeline_in
from t2s_pipeline_tests.commands.in_process import Terminal
from t2s_pipeline_tests.test_intake import HOSTILE

pytestmark = pytest.mark.slow


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """Two batches of two traces; the second trace of the first batch is hostile."""
    pipeline = pipeline_in(tmp_path, batch_traces=2)
    path = drop(pipeline, "booking", "a.jsonl", range(4))
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("at 7 in the evening.", f"at 7 in the evening. {HOSTILE}")
    path.write_text("\n".join(lines) + "\n")
    learn(pipeline)
    return pipeline


@pytest.fixture
def t2s(pipeline: Pipeline) -> Terminal:
    return Terminal(pipeline.paths.root)


def learn(pipeline: Pipeline) -> list[str]:
    """Reads and analyses what is left to do; the keys of the batches."""
    plan_inbox(pipeline)
    batches = unfinished_batches(pipeline)
    ingest_batches(pipeline.store, pipeline.paths, pipeline.settings, batches)
    analyse_batches(pipeline.store, pipeline.settings, [batch.key for batch in batches])
    return [batch.key for batch in batches]


def taught(pipeline: Pipeline) -> int:
    return len(queries.lessons_of_skill(pipeline.store, "booking"))


def test_status_lists_held_traces_with_their_reasons(t2s: Terminal) -> None:
    (held,) = t2s("status", "--json").json["held"]
    shown = t2s("status").out

    assert held["where"] == "inbox/booking/a.jsonl#L2"
    assert any(
        reason.startswith("override (user, step 1): ") and "Ignore all previous" in reason
        for reason in held["reasons"]
    )
    assert held["trace_id"] in shown
    assert "t2s release-trace" in shown


def test_a_released_trace_teaches_at_the_next_run_and_stays_released(
    t2s: Terminal, pipeline: Pipeline
) -> None:
    before = taught(pipeline)

    released = t2s("release-trace", "a.jsonl#L2", "--by", "Ada", "--json").json
    again = learn(pipeline)

    assert released["by"] == "Ada"
    assert [trace["where"] for trace in released["traces"]] == ["inbox/booking/a.jsonl#L2"]
    assert again == released["batches"] == ["booking.00001.0000"]
    assert (before, taught(pipeline)) == (3, 4)
    assert t2s("status", "--json").json["held"] == []
    assert REFUSAL in "".join(queries.evidence_of_skill(pipeline.store, "booking")["quote"])


def test_releasing_it_again_or_releasing_what_is_not_held_changes_nothing(
    t2s: Terminal, pipeline: Pipeline
) -> None:
    t2s("release-trace", "a.jsonl#L2")
    learn(pipeline)

    done = t2s("release-trace", "a.jsonl#L2", "a.jsonl#L3", "--json").json

    assert (done["traces"], len(done["not_held"]), done["batches"]) == ([], 2, [])
    assert learn(pipeline) == []


def test_a_name_that_stands_for_nothing_releases_nothing(t2s: Terminal) -> None:
    done = t2s("release-trace", "a.jsonl#L2", "t-nonsense")

    assert done.code == 1
    assert "There is no trace 't-nonsense'" in done.err
    assert len(t2s("status", "--json").json["held"]) == 1


def test_nobody_releases_a_trace_without_a_name(t2s: Terminal) -> None:
    done = t2s("release-trace", "a.jsonl#L2", "--by", " ")

    assert (done.code, "--by NAME" in done.err) == (1, True)


@pytest.mark.slow
def test_a_released_trace_stays_released_when_the_store_is_built_anew(
    t2s: Terminal, pipeline: Pipeline
) -> None:
    """What a damaged database advises: move it away and run again."""
    t2s("release-trace", "a.jsonl#L2", "--by", "Ada")
    learn(pipeline)

    pipeline.paths.database.unlink()
    again = learn(pipeline)

    assert len(again) == 2
    assert taught(pipeline) == 4
    assert t2s("status", "--json").json["held"] == []
    (kept,) = pipeline.store.query("SELECT released_by FROM releases").rows()
    assert kept == ("Ada",)


def test_a_list_of_releases_that_cannot_be_read_stops_releasing_and_reading(
    t2s: Terminal, pipeline: Pipeline
) -> None:
    pipeline.paths.released.write_text("not a release\n")

    done = t2s("release-trace", "a.jsonl#L2")

    assert (done.code, "released.jsonl line 1" in done.err) == (1, True)
    assert len(t2s("status", "--json").json["held"]) == 1
    with pytest.raises(TraceError, match="which held traces may teach"):
        ingest_batches(pipeline.store, pipeline.paths, pipeline.settings, all_batches(pipeline.paths))
