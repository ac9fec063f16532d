"""`t2s run` and `t2s status` with and without a model, on a real store, real skills and a local endpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.assets.execution import executor
from t2s_pipeline.commands.forgetting import Receipt, forget
from t2s_pipeline.commands.running import RunSummary, run
from t2s_pipeline.commands.status import SkillStatus, status
from t2s_pipeline.errors import EndpointError
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import queries
from t2s_pipeline_tests.assets.builders import conversation, pipeline_in
from t2s_pipeline_tests.llm.server import LocalServer

pytestmark = pytest.mark.slow  # each test remakes a skill

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Quiet:
    """Shows nothing."""

    def reading(self, pipeline: Pipeline, traces: int) -> AbstractContextManager[Pipeline]:  # noqa: ARG002
        return nullcontext(pipeline)

    def consolidating(self, skill: str) -> AbstractContextManager[object]:  # noqa: ARG002
        return nullcontext()


def drop(pipeline: Pipeline, file: str, numbers: range) -> None:
    path = pipeline.paths.inbox / "booking" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(conversation(number)) + "\n" for number in numbers))


def ran(pipeline: Pipeline, engine: str = "auto") -> RunSummary:
    return run(asking(pipeline, engine), Quiet())


def asking(pipeline: Pipeline, engine: str) -> Pipeline:
    return replace(pipeline, settings=pipeline.settings.model_copy(update={"engine": engine}))


def state(pipeline: Pipeline, engine: str = "auto") -> SkillStatus:
    (skill,) = status(asking(pipeline, engine)).skills
    return skill


def forgotten(pipeline: Pipeline, trace_id: str, engine: str = "auto") -> Receipt:
    with executor(pipeline.paths, now=NOW) as maker:
        return forget(asking(pipeline, engine), [trace_id], maker, now=NOW)


def page(pipeline: Pipeline) -> str:
    return (pipeline.paths.skills / "booking" / "SKILL.md").read_text(encoding="utf-8")


def taught_by_model(pipeline: Pipeline) -> set[str]:
    lessons = queries.lessons_of_skill(pipeline.store, "booking")
    return {lesson.lesson_id for lesson in lessons if lesson.engine == "llm"}


@pytest.fixture
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "MODEL"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)
        monkeypatch.delenv(f"T2S_{name}", raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, no_endpoint: None) -> Iterator[LocalServer]:  # noqa: ARG001
    with LocalServer() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        yield running


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root after one run with a model."""
    pipeline = pipeline_in(tmp_path_factory.mktemp("learnt"), batch_traces=4)
    drop(pipeline, "a.jsonl", range(6))
    with pytest.MonkeyPatch.context() as patch, LocalServer() as endpoint:
        patch.setenv("OPENAI_BASE_URL", endpoint.base_url)
        patch.setenv("T2S_MODEL", "m")
        assert ran(pipeline, "llm").failures == []
    return pipeline.paths.root


@pytest.fixture
def pipeline(tmp_path: Path, learnt: Path) -> Pipeline:
    """A copy of it."""
    shutil.copytree(learnt, tmp_path / "data")
    return pipeline_in(tmp_path / "data", batch_traces=4)


@pytest.mark.usefixtures("no_endpoint")
def test_after_a_run_with_a_model_nothing_is_left_for_one_without(pipeline: Pipeline) -> None:
    before, text = taught_by_model(pipeline), page(pipeline)

    shown = state(pipeline)
    summary = ran(pipeline)

    assert (shown.up_to_date, shown.waiting_for_model) == (True, 0)
    assert summary.nothing_new
    assert taught_by_model(pipeline) == before != set()
    assert page(pipeline) == text


@pytest.mark.usefixtures("no_endpoint")
def test_new_traces_are_learnt_from_without_the_model_and_what_it_taught_stays(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2S_MODEL", "m")
    before = taught_by_model(pipeline)
    drop(pipeline, "b.jsonl", range(6, 9))

    summary = ran(pipeline)

    assert (summary.new_traces, summary.updated, summary.model_calls) == (3, ["booking"], 0)
    assert taught_by_model(pipeline) == before
    assert state(pipeline).waiting_for_model == 1
    assert [one.reason for one in status(asking(pipeline, "llm")).left] == ["not read by the model so far"]


def test_outcomes_that_come_later_cost_no_lesson_of_the_model(
    pipeline: Pipeline, server: LocalServer
) -> None:
    before = len(taught_by_model(pipeline))
    (pipeline.paths.inbox / "booking" / "outcomes.csv").write_text("task_id,outcome\ntask-0,failure\n")

    summary = ran(pipeline)

    assert {one.reason for one in summary.again} == {"what is known about the traces has changed"}
    assert len(taught_by_model(pipeline)) == before
    assert server.seen.chats == 0


@pytest.mark.usefixtures("no_endpoint")
def test_forgetting_needs_no_model_and_no_flag_where_a_model_has_worded_the_skill(pipeline: Pipeline) -> None:
    gone = queries.lessons_of_skill(pipeline.store, "booking")[0].trace_id

    receipt = forgotten(pipeline, gone)

    assert receipt.failures == ()
    assert receipt.reworded == ()
    assert receipt.skills[0].before != receipt.skills[0].after
    assert taught_by_model(pipeline)
    assert state(pipeline).up_to_date


@pytest.mark.usefixtures("no_endpoint")
def test_a_model_that_cannot_be_asked_does_not_keep_a_trace_from_being_forgotten(pipeline: Pipeline) -> None:
    gone = queries.lessons_of_skill(pipeline.store, "booking")[0].trace_id

    receipt = forgotten(pipeline, gone, "llm")

    assert receipt.failures == ()
    assert "needs a model endpoint" in receipt.reworded[0]
    assert receipt.skills[0].before in receipt.skills[0].versions
    assert "5 refusals in 5 tasks" in page(pipeline)


@pytest.mark.usefixtures("no_endpoint")
def test_an_endpoint_that_is_not_set_is_told_once_and_before_any_work(tmp_path: Path) -> None:
    pipeline = pipeline_in(tmp_path, batch_traces=1)
    drop(pipeline, "a.jsonl", range(3))

    with pytest.raises(EndpointError, match="OPENAI_BASE_URL"):
        ran(pipeline, "llm")

    assert queries.batch_stages(pipeline.store).is_empty()


def test_traces_that_nobody_could_analyse_are_in_the_summary_and_in_the_status(
    tmp_path: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2S_MAX_ATTEMPTS", "1")
    pipeline = pipeline_in(tmp_path)
    drop(pipeline, "a.jsonl", range(4))
    server.misbehave(content="this is no JSON at all")

    summary = ran(pipeline, "llm")
    shown = status(pipeline)

    assert (summary.new_traces, summary.not_analysed, summary.updated) == (4, 4, ["booking"])
    assert sum(summary.reasons.values()) == 4
    assert "JSON" in next(iter(summary.reasons))
    assert summary.model_calls >= 4
    assert summary.model_tokens > 0
    assert shown.skills[0].not_analysed == 4
    assert {one.where for one in shown.not_analysed} == {f"inbox/booking/a.jsonl#L{n}" for n in (1, 2, 3, 4)}
    assert {one.reason for one in status(asking(pipeline, "llm")).left} == {
        "some of the traces could not be analysed"
    }

    server.misbehave(content=None)
    again = ran(pipeline, "llm")

    assert again.not_analysed == 0
    assert status(pipeline).not_analysed == []


def test_calls_that_nobody_answered_are_not_paid_for(
    tmp_path: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2S_MODEL", "m")
    monkeypatch.setenv("T2S_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("T2S_OUTAGE_LIMIT_S", "0")
    server.misbehave(down=True)
    pipeline = pipeline_in(tmp_path)
    drop(pipeline, "a.jsonl", range(4))

    summary = ran(pipeline, "llm")

    assert (summary.not_analysed, summary.model_calls, summary.cost_usd) == (4, 0, None)


def test_what_was_refused_and_what_it_cost_is_in_the_summary_and_in_the_status(
    tmp_path: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2S_PRICE_INPUT", "1")
    monkeypatch.setenv("T2S_PRICE_OUTPUT", "2")
    pipeline = pipeline_in(tmp_path)
    drop(pipeline, "a.jsonl", range(4))
    server.misbehave(content=json.dumps({"lessons": [_unfounded()]}))

    summary = ran(pipeline, "llm")
    shown = status(pipeline)

    assert summary.refused == len(shown.refused) == 4
    assert {one.reason for one in shown.refused} == {"the quote is not in steps 1 to 2"}
    assert shown.skills[0].refused == 4
    assert summary.cost_usd is not None
    assert 0 < summary.cost_usd < 1


def _unfounded() -> dict[str, Any]:
    return {
        "first_step": 1,
        "last_step": 2,
        "quote": "words that stand nowhere in this trace",
        "because": "somebody said so",
        "when": "before booking a table",
        "do": "Ask for the time in the form that is wanted.",
        "kind": "repair",
        "section": "tools",
        "tool": "book_table",
        "trigger": "time",
        "action": "ask for the form",
        "negated": False,
    }
