"""What is left to do, read from the store and the disk."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.analysts import version
from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.analysts.merger import merger_of
from t2s_pipeline.outstanding import (
    batches_to_run_unasked,
    inputs_of,
    plan_inbox,
    record_made,
    skills_behind,
    unfinished_batches,
    what_is_left,
)
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.traces.inbox import Batch
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline_tests.assets.builders import drop, pipeline_in
from t2s_pipeline_tests.llm.server import LocalServer

pytestmark = pytest.mark.slow


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return pipeline_in(tmp_path, batch_traces=2)


def read(pipeline: Pipeline, batches: list[Batch]) -> None:
    ingest_batches(pipeline.store, pipeline.paths, pipeline.settings, batches)


def analysed(pipeline: Pipeline, batches: list[Batch]) -> None:
    read(pipeline, batches)
    analyse_batches(pipeline.store, pipeline.settings, [batch.key for batch in batches])


def names(pipeline: Pipeline) -> list[str]:
    return [inputs.skill for inputs in skills_behind(pipeline)]


def published(pipeline: Pipeline, skill: str) -> None:
    record_made(pipeline, "directory", inputs_of(pipeline, skill))


def test_a_batch_is_unfinished_until_its_lessons_are_in_the_store(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(4))
    first, second = plan_inbox(pipeline)

    assert unfinished_batches(pipeline) == [first, second]
    read(pipeline, [first, second])
    assert unfinished_batches(pipeline) == [first, second]
    analysed(pipeline, [first])
    assert unfinished_batches(pipeline) == [second]


def test_changed_analysts_make_every_batch_unfinished(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(pipeline, "booking", "a.jsonl", range(2))
    batches = plan_inbox(pipeline)
    analysed(pipeline, batches)

    monkeypatch.setattr(version, "_STATISTICAL", "other")

    (left,) = what_is_left(pipeline)
    assert [left.batch] == batches
    assert left.reason == "the code that analyses traces has changed"


def test_a_sensor_does_not_pay_for_models_again_because_code_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, costly = pipeline_in(tmp_path), pipeline_in(tmp_path, engine="llm")
    drop(free, "booking", "a.jsonl", range(2))
    batches = plan_inbox(free)
    analysed(free, batches)

    monkeypatch.setattr(version, "_STATISTICAL", "other")

    assert batches_to_run_unasked(free) == batches
    assert batches_to_run_unasked(costly) == []


def test_outcomes_that_arrive_later_make_their_batch_unread(pipeline: Pipeline) -> None:
    path = drop(pipeline, "booking", "a.jsonl", range(2))
    batches = plan_inbox(pipeline)
    analysed(pipeline, batches)

    (path.parent / "outcomes.csv").write_text("task_id,outcome\ntask-0,failure\n", encoding="utf-8")
    plan_inbox(pipeline)

    assert [batch.key for batch in unfinished_batches(pipeline)] == [batch.key for batch in batches]
    assert [batch.key for batch in batches_to_run_unasked(pipeline)] == [batch.key for batch in batches]


def test_a_skill_is_behind_until_its_directory_is_made_from_what_is_there(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(pipeline, plan_inbox(pipeline))

    assert names(pipeline) == ["booking"]
    record_made(pipeline, "clusters", inputs_of(pipeline, "booking"))
    assert names(pipeline) == ["booking"]
    published(pipeline, "booking")
    assert names(pipeline) == []


@pytest.mark.slow
def test_what_a_skill_is_made_from_looks_the_same_from_every_process(pipeline: Pipeline) -> None:
    """Sets have another order in each process; a digest that shows it makes every run consolidate anew."""
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(pipeline, plan_inbox(pipeline))
    code = (
        "import sys; from pathlib import Path; from t2s_pipeline.outstanding import skills_behind; "
        "from t2s_pipeline_tests.assets.builders import pipeline_in; "
        "print(skills_behind(pipeline_in(Path(sys.argv[1]), batch_traces=2))[0].digest)"
    )

    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(pipeline.paths.root)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1


def test_new_lessons_put_only_their_own_skill_behind(pipeline: Pipeline) -> None:
    for skill, numbers in (("booking", range(2)), ("seating", range(10, 12))):
        drop(pipeline, skill, "a.jsonl", numbers)
    analysed(pipeline, plan_inbox(pipeline))
    published(pipeline, "booking")
    published(pipeline, "seating")

    drop(pipeline, "seating", "b.jsonl", range(20, 21))
    analysed(pipeline, plan_inbox(pipeline))

    assert names(pipeline) == ["seating"]


def test_a_base_skill_that_a_person_changed_puts_the_skill_behind(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(pipeline, plan_inbox(pipeline))
    published(pipeline, "booking")

    base = pipeline.paths.base / "booking"
    base.mkdir(parents=True)
    (base / "SKILL.md").write_text("---\nname: booking\ndescription: x\n---\n", encoding="utf-8")

    assert names(pipeline) == ["booking"]


def test_a_base_skill_may_hold_a_file_whose_name_is_no_text(pipeline: Pipeline) -> None:
    base = pipeline.paths.base / "booking"
    base.mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(base) + b"/caf\xe9.md")).write_text("x")

    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(pipeline, plan_inbox(pipeline))

    assert names(pipeline) == ["booking"]


def test_a_skill_of_which_nothing_could_be_read_is_not_behind(pipeline: Pipeline) -> None:
    file = pipeline.paths.inbox / "broken" / "a.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\x00\x01\x02")

    analysed(pipeline, plan_inbox(pipeline))

    assert unfinished_batches(pipeline) == []
    assert names(pipeline) == []


def test_outcomes_that_come_later_put_a_skill_behind_although_every_count_stays(pipeline: Pipeline) -> None:
    path = drop(pipeline, "booking", "a.jsonl", range(2))
    path.write_text(path.read_text().replace('"reward": 1.0', '"reward": null'))
    analysed(pipeline, plan_inbox(pipeline))
    published(pipeline, "booking")
    before = names(pipeline)

    (path.parent / "outcomes.csv").write_text("task_id,success\ntask-0,false\ntask-1,true\n")
    relabelled = plan_inbox(pipeline)
    analysed(pipeline, relabelled)

    assert (before, names(pipeline)) == ([], ["booking"])


def reasons(pipeline: Pipeline) -> list[str]:
    return [one.reason for one in what_is_left(pipeline)]


def with_settings(pipeline: Pipeline, **changed: Any) -> Pipeline:
    return replace(pipeline, settings=pipeline.settings.model_copy(update=changed))


def test_settings_that_decide_how_traces_are_read_leave_their_batches_to_do(pipeline: Pipeline) -> None:
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(pipeline, plan_inbox(pipeline))

    by_score = with_settings(pipeline, reward_key="score")
    openly = with_settings(pipeline, redaction=RedactionConfig(personal=frozenset()))

    assert reasons(pipeline) == []
    assert reasons(with_settings(pipeline, workers=1, min_tasks=7)) == []
    assert reasons(by_score) == reasons(openly) == ["settings that decide how traces are read have changed"]
    assert len(batches_to_run_unasked(by_score)) == 1
    read(by_score, unfinished_batches(by_score))
    assert reasons(by_score) == []


def test_traces_whose_file_is_gone_stay_as_they_were_read(pipeline: Pipeline) -> None:
    """Reading them again would find nothing, and take them out of the store."""
    file = drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(pipeline, plan_inbox(pipeline))
    changed = with_settings(pipeline, reward_key="score")

    before = reasons(changed)
    file.write_text(file.read_text()[:-400], encoding="utf-8")
    shrunk = reasons(changed)
    file.unlink()

    assert (len(before), shrunk, reasons(changed)) == (1, [], [])


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    for name in ("OPENAI_API_KEY", "OPENAI_MODEL", "T2S_API_KEY", "T2S_BASE_URL", "T2S_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with LocalServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


@pytest.mark.usefixtures("endpoint")
def test_what_a_model_has_read_is_done_for_a_run_that_asks_nobody(pipeline: Pipeline) -> None:
    asking = with_settings(pipeline, engine="llm")
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(asking, plan_inbox(pipeline))
    drop(pipeline, "booking", "b.jsonl", range(4, 6))
    analysed(pipeline, plan_inbox(pipeline))

    assert reasons(pipeline) == []
    assert batches_to_run_unasked(pipeline) == []
    assert reasons(asking) == ["not read by the model so far"]
    without = with_settings(pipeline, engine="statistical")
    assert reasons(without) == ["a model has taught here, and the statistical engine is asked for"]
    assert batches_to_run_unasked(without) == []


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("name", "value"),
    [("T2S_MODEL", "another"), ("T2S_ANALYSTS", "all"), ("T2S_READINGS", "conditional_rules")],
)
def test_another_model_or_other_analysts_leave_everything_to_do_where_a_model_is_asked(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    asking = with_settings(pipeline, engine="llm")
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(asking, plan_inbox(pipeline))
    published(asking, "booking")
    before = (reasons(asking), names(asking))

    monkeypatch.setenv(name, value)

    assert before == ([], [])
    assert reasons(asking) == ["read by another model, or with other settings of it"]
    assert reasons(pipeline) == []
    assert batches_to_run_unasked(asking) == []


@pytest.mark.usefixtures("endpoint")
def test_where_and_how_fast_a_model_is_asked_decides_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2S_MODEL", "local-model")
    asking = with_settings(pipeline, engine="llm")
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(asking, plan_inbox(pipeline))

    for name, value in (("OPENAI_BASE_URL", "http://127.0.0.1:9/v1"), ("T2S_MAX_IN_FLIGHT", "2")):
        monkeypatch.setenv(name, value)

    assert reasons(asking) == []


@pytest.mark.usefixtures("endpoint")
def test_a_skill_that_a_model_has_worded_is_up_to_date_for_a_run_that_asks_nobody(pipeline: Pipeline) -> None:
    asking = with_settings(pipeline, engine="llm")
    drop(pipeline, "booking", "a.jsonl", range(2))
    analysed(asking, plan_inbox(pipeline))
    with merger_of(asking.store, asking.settings, "booking"):
        published(asking, "booking")

    assert names(asking) == names(pipeline) == []
    assert names(with_settings(pipeline, engine="statistical")) == ["booking"]
