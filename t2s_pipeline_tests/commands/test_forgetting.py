"""`t2s forget` on a real store and real skill directories."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from t2s_pipeline.analysts.analyse import analyse_batches, analyse_skill
from t2s_pipeline.analysts.by_model import reply_cache
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.assets.instance import instance_at
from t2s_pipeline.commands.forgetting import Receipt, forget
from t2s_pipeline.commands.naming import trace_named
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.errors import T2SError, TraceError
from t2s_pipeline.llm.cache import StoredReply
from t2s_pipeline.outstanding import inputs_of, plan_inbox, record_made, skills_behind, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills.history import diff, log, rollback
from t2s_pipeline.skills.publish import publish_skill
from t2s_pipeline.store import queries
from t2s_pipeline.traces.forgotten import tombstones
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.assets.builders import REFUSAL, conversation, pipeline_in

pytestmark = pytest.mark.slow  # each test starts programs or remakes a skill

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECRET_WORD = "Kestrelmoor"
"""A name that only one trace holds; redaction does not know it, which is why somebody wants to forget it."""


@dataclass
class Maker:
    """Makes skills as the assets do, without Dagster."""

    now: datetime = NOW
    under_way: list[str] = field(default_factory=list)
    failing: bool = False

    def runs_under_way(self) -> Sequence[str]:
        return self.under_way

    def consolidate(self, pipeline: Pipeline, skill: str) -> str | None:
        if self.failing:
            return f"skill {skill}: the lights went out"
        self.now += timedelta(minutes=1)
        inputs = inputs_of(pipeline, skill)
        analyse_skill(pipeline.store, pipeline.settings, skill)
        consolidate_skill(pipeline.store, pipeline.settings, skill, StatisticalMerger())
        publish_skill(pipeline.store, pipeline.paths, pipeline.settings, skill, now=self.now)
        record_made(pipeline, "clusters", inputs)
        record_made(pipeline, "directory", inputs)
        return None


@dataclass
class Desk:
    """Two skills learnt from a file each."""

    pipeline: Pipeline
    maker: Maker = field(default_factory=Maker)

    def drop(self, skill: str, file: str, *numbers: int, name: str = "") -> Path:
        """Conversations as a file of the inbox; `name` goes into the refusal that a lesson will quote."""
        path = self.pipeline.paths.inbox / skill / file
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(conversation(number)) for number in numbers)
        text = "".join(f"{line}\n" for line in lines)
        path.write_text(text.replace(REFUSAL, f"{REFUSAL} {name}".strip()), encoding="utf-8")
        return path

    def run(self) -> None:
        plan_inbox(self.pipeline)
        batches = unfinished_batches(self.pipeline)
        ingest_batches(self.pipeline.store, self.pipeline.paths, self.pipeline.settings, batches)
        analyse_batches(self.pipeline.store, self.pipeline.settings, [batch.key for batch in batches])
        for inputs in skills_behind(self.pipeline):
            self.maker.consolidate(self.pipeline, inputs.skill)

    def forget(self, *names: str) -> Receipt:
        return forget(self.pipeline, names, self.maker, now=NOW)

    def page(self, skill: str = "booking") -> str:
        return (self.pipeline.paths.skills / skill / "SKILL.md").read_text(encoding="utf-8")

    def trace_ids(self, skill: str = "booking") -> list[str]:
        rows = self.pipeline.store.query("SELECT trace_id FROM traces WHERE skill = ? ORDER BY uri", [skill])
        return list(rows["trace_id"])


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root. Skill `booking`: three harmless traces and one with the word. `tables`: three traces."""
    desk = Desk(pipeline_in(tmp_path_factory.mktemp("learnt"), batch_traces=2))
    desk.drop("booking", "a.jsonl", 0, 1, 2)
    desk.drop("booking", "b.jsonl", 3, name=SECRET_WORD)
    desk.drop("tables", "c.jsonl", 0, 1, 2)
    desk.run()
    return desk.pipeline.paths.root


@pytest.fixture
def desk(tmp_path: Path, learnt: Path) -> Desk:
    """A copy of what was learnt."""
    shutil.copytree(learnt, tmp_path / "data")
    return Desk(pipeline_in(tmp_path / "data", batch_traces=2))


def files_with(root: Path, word: str) -> list[str]:
    """Files below a folder in which a word stands, Parquet and databases included as raw bytes."""
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and word.encode() in path.read_bytes()
    )


def test_nothing_of_a_forgotten_trace_is_left_but_in_the_file_it_came_from(desk: Desk) -> None:
    root = desk.pipeline.paths.root
    before = files_with(root, SECRET_WORD)

    receipt = desk.forget("b.jsonl#L1")

    assert any(name.endswith("lineage.json") for name in before)
    assert files_with(root, SECRET_WORD) == ["inbox/booking/b.jsonl"]
    assert receipt.rows["traces"] == 1
    assert receipt.rows["steps"] == 4
    assert receipt.rows["lessons"] >= 1
    assert receipt.failures == ()
    assert receipt.left[0].startswith("inbox/booking/b.jsonl is as it was")


def test_the_skill_is_what_it_would_be_had_the_trace_never_come(desk: Desk, tmp_path: Path) -> None:
    other = Desk(pipeline_in(tmp_path / "other", batch_traces=2))
    other.drop("booking", "a.jsonl", 0, 1, 2)
    other.run()

    desk.forget("b.jsonl#L1")

    assert desk.page() == other.page()
    assert skills_behind(desk.pipeline) == []
    assert unfinished_batches(desk.pipeline) == []


def test_the_receipt_says_which_rules_changed_and_which_versions_are_gone(desk: Desk) -> None:
    was = log(desk.pipeline.paths, "booking")[0].record.version

    receipt = desk.forget("b.jsonl#L1")

    (change,) = receipt.skills
    (rule,) = [rule for rule in change.rules if rule.before and rule.after]
    assert (change.skill, change.before, change.versions) == ("booking", was, (was,))
    assert "4 refusals in 4 tasks" in str(rule.before) or "in 4 runs" in str(rule.before)
    assert rule.before != rule.after
    assert [entry.record.version for entry in log(desk.pipeline.paths, "booking")] == [change.after]
    stored = queries.versions_of_skill(desk.pipeline.store, "booking")
    assert stored["version"].to_list() == [change.after]


def test_a_rule_that_rested_on_forgotten_traces_disappears(desk: Desk) -> None:
    receipt = desk.forget("b.jsonl#L1", *desk.trace_ids()[:2])

    (change,) = receipt.skills
    assert [rule.after for rule in change.rules] == [None]
    assert REFUSAL not in desk.page()


def test_traces_of_several_skills_go_at_once_and_a_skill_without_traces_says_nothing(desk: Desk) -> None:
    receipt = desk.forget("b.jsonl#L1", *desk.trace_ids("tables"))

    assert [change.skill for change in receipt.skills] == ["booking", "tables"]
    assert len(receipt.traces) == 4
    assert desk.trace_ids("tables") == []
    assert "From 0 recorded runs" in desk.page("tables")
    assert queries.rules_of_skill(desk.pipeline.store, "tables").is_empty()
    assert len(desk.trace_ids()) == 3


def test_the_file_that_holds_it_does_not_bring_it_back(desk: Desk) -> None:
    desk.forget("b.jsonl#L1")
    page = desk.page()
    again = desk.pipeline.paths.inbox / "booking" / "copy.jsonl"
    again.write_bytes((desk.pipeline.paths.inbox / "booking" / "b.jsonl").read_bytes())

    desk.run()

    assert len(desk.trace_ids()) == 3
    assert desk.page() == page


def test_not_even_when_the_store_is_built_anew_from_the_inbox(desk: Desk) -> None:
    desk.forget("b.jsonl#L1")
    for path in desk.pipeline.paths.root.glob("t2s.duckdb*"):
        path.unlink()

    desk.run()

    assert len(desk.trace_ids()) == 3
    assert SECRET_WORD not in desk.page()


def test_a_session_that_goes_on_after_it_was_forgotten_stays_forgotten(desk: Desk) -> None:
    """The file of a conversation gets a line more: other bytes, another trace id, the same words."""
    desk.forget("b.jsonl#L1")
    longer = conversation(3)
    longer["messages"] += [{"role": "user", "content": f"Thanks, says {SECRET_WORD}."}]
    path = desk.pipeline.paths.inbox / "booking" / "b.jsonl"
    path.write_text(json.dumps(longer) + "\n" + json.dumps(conversation(9)) + "\n")

    desk.run()

    assert len(desk.trace_ids()) == 4
    assert files_with(desk.pipeline.paths.root, SECRET_WORD) == ["inbox/booking/b.jsonl"]


def test_stored_model_replies_about_it_go_and_others_stay(desk: Desk) -> None:
    trace_id = trace_named(desk.pipeline, "b.jsonl#L1")["trace_id"]
    cache = reply_cache(desk.pipeline.settings)
    cache.put("aa1", StoredReply(text=SECRET_WORD, about=("t-other", trace_id)))
    cache.put("bb2", StoredReply(text="fine", about=("t-other",)))
    cache.keep_failed("cc3", StoredReply(text=SECRET_WORD, about=(trace_id,), problem="odd"))

    receipt = desk.forget("b.jsonl#L1")

    assert receipt.replies == 2
    assert cache.get("bb2") is not None
    assert files_with(desk.pipeline.paths.cache, SECRET_WORD) == []


def test_versions_from_before_it_was_read_stay_and_one_can_go_back_to_them(desk: Desk) -> None:
    first = log(desk.pipeline.paths, "booking")[0].record.version
    for number in (7, 8):
        desk.drop("booking", f"{number}.jsonl", number)
        desk.run()
    last, second = (entry.record.version for entry in log(desk.pipeline.paths, "booking")[:2])

    (change,) = desk.forget("8.jsonl#L1").skills
    shown = diff(desk.pipeline.paths, "booking")
    back = rollback(desk.pipeline.paths, "booking", now=NOW, store=desk.pipeline.store)

    # What is left is what was there before the trace came, so it is the very same version again.
    assert (change.before, change.after, change.versions) == (last, second, (last,))
    assert (shown.before, shown.after) == (first, second)
    assert back.version == first


def test_what_a_person_wrote_into_the_skill_survives(desk: Desk) -> None:
    page = desk.pipeline.paths.skills / "booking" / "SKILL.md"
    page.write_text(desk.page() + "\nAsk for the dog, too.\n")

    receipt = desk.forget("b.jsonl#L1")

    assert "Ask for the dog, too." in desk.page()
    assert receipt.failures == ()
    assert files_with(desk.pipeline.paths.root, SECRET_WORD) == ["inbox/booking/b.jsonl"]


def test_the_same_bytes_under_another_skill_are_named(desk: Desk) -> None:
    receipt = desk.forget("a.jsonl#L1")

    assert receipt.traces[0].copies == (f"{desk.trace_ids('tables')[0]} (skill tables)",)


def test_a_command_that_did_not_finish_is_finished_by_giving_it_again(desk: Desk) -> None:
    trace_id = trace_named(desk.pipeline, "b.jsonl#L1")["trace_id"]
    desk.maker.failing = True
    broken = desk.forget("b.jsonl#L1")
    desk.maker.failing = False

    whole = desk.forget(trace_id)

    assert "the lights went out" in broken.failures[0]
    assert "still rest on what was forgotten" in broken.failures[1]
    assert whole.failures == ()
    assert files_with(desk.pipeline.paths.root, SECRET_WORD) == ["inbox/booking/b.jsonl"]
    assert len(tombstones(desk.pipeline.paths).items) == 1


def test_the_next_run_finishes_it_too(desk: Desk) -> None:
    desk.maker.failing = True
    desk.forget("b.jsonl#L1")
    desk.maker.failing = False

    desk.run()

    assert files_with(desk.pipeline.paths.root, SECRET_WORD) == ["inbox/booking/b.jsonl"]


def test_a_name_that_stands_for_nothing_forgets_nothing(desk: Desk) -> None:
    with pytest.raises(TraceError, match="no trace 'x'"):
        desk.forget("b.jsonl#L1", "x")

    assert len(desk.trace_ids()) == 4
    assert tombstones(desk.pipeline.paths).items == ()


def test_nothing_is_forgotten_while_a_run_is_at_work(desk: Desk) -> None:
    desk.maker.under_way = ["run-1"]

    with pytest.raises(T2SError, match="right now"):
        desk.forget("b.jsonl#L1")

    assert len(desk.trace_ids()) == 4


def test_a_damaged_list_of_the_forgotten_stops_reading_the_inbox(desk: Desk) -> None:
    desk.forget("b.jsonl#L1")
    with desk.pipeline.paths.forgotten.open("a") as file:
        file.write("{oops\n")
    desk.drop("booking", "e.jsonl", 11)

    with pytest.raises(TraceError, match=r"forgotten\.jsonl line 2"):
        desk.run()


def test_the_command_remakes_the_skill_and_prints_a_receipt(desk: Desk) -> None:
    command = [sys.executable, "-m", "t2s_pipeline.cli", "forget", "b.jsonl#L1"]

    done = subprocess.run(
        [*command, "--data", str(desk.pipeline.paths.root)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "is forgotten (skill booking, inbox/booking/b.jsonl)" in done.stdout
    assert "Removed: " in done.stdout
    assert "rules that changed (1):" in done.stdout
    assert SECRET_WORD not in desk.page()
    with instance_at(desk.pipeline.paths) as instance:
        made = instance.get_latest_materialization_event(dg.AssetKey("skill_directory"))
    assert made is not None
