"""The command line as a program: what it prints where, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline_tests.assets.builders import REFUSAL, conversation, drop, pipeline_in

pytestmark = pytest.mark.slow  # each test starts programs or remakes a skill

T2S = [sys.executable, "-m", "t2s_pipeline.cli"]


def t2s(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `t2s` as a person would, without the settings of this machine."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("T2S_", "DAGSTER_"))}
    return subprocess.run(
        [*T2S, *arguments],
        cwd=cwd,
        env={**ours, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def json_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one object on standard output."""
    value = json.loads(done.stdout)
    assert isinstance(value, dict)
    return value


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, subprocess.CompletedProcess[str]]:
    """A data root after one `t2s run --json`, with one line that cannot be read."""
    pipeline = pipeline_in(tmp_path_factory.mktemp("data"))
    path = drop(pipeline, "booking", "a.jsonl", range(4))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"messages": [{"role": \n')
    return pipeline, t2s("run", "--data", str(pipeline.paths.root), "--json")


def rule_line(pipeline: Pipeline) -> int:
    lines = (pipeline.paths.skills / "booking" / "SKILL.md").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith("- **"))


Learnt = tuple[Pipeline, subprocess.CompletedProcess[str]]


def test_run_prints_one_object_and_warns_of_what_it_set_aside(learnt: Learnt) -> None:
    pipeline, done = learnt

    summary = json_of(done)

    assert done.returncode == 0
    assert {name: summary[name] for name in ("traces", "new_traces", "quarantined", "model_calls")} == {
        "traces": 4,
        "new_traces": 4,
        "quarantined": 1,
        "model_calls": 0,
    }
    assert summary["lessons"] >= 4
    assert summary["clusters"] >= 1
    (skill,) = summary["skills"]
    assert skill["name"] == "booking"
    assert skill["path"] == str(pipeline.paths.skills / "booking")
    assert skill["rules"] == 1
    assert "1 of the files or records could not be read" in done.stderr.replace("\n", " ")
    assert "dagster" not in done.stderr.lower()


def test_a_second_run_does_nothing_and_says_so(learnt: Learnt) -> None:
    pipeline, _ = learnt
    before = (pipeline.paths.skills / "booking" / "SKILL.md").read_bytes()

    done = t2s("run", "--data", str(pipeline.paths.root))

    assert done.returncode == 0
    assert done.stdout.startswith("Nothing new")
    assert "t2s explain" in done.stdout
    assert (pipeline.paths.skills / "booking" / "SKILL.md").read_bytes() == before


def test_the_runs_are_on_the_instance_that_the_ui_shows(learnt: Learnt) -> None:
    from t2s_pipeline.assets.instance import instance_at

    pipeline, _ = learnt

    with instance_at(pipeline.paths) as instance:
        runs = [(run.job_name, run.status.value) for run in instance.get_runs()]
        skills = instance.get_dynamic_partitions("skills")

    assert sorted(runs) == [("analyse_batch", "SUCCESS"), ("consolidate_skill", "SUCCESS")]
    assert list(skills) == ["booking"]


def test_explain_leads_from_a_line_to_the_steps_with_their_quotes(learnt: Learnt) -> None:
    pipeline, _ = learnt
    place = f"{pipeline.paths.skills / 'booking' / 'SKILL.md'}:{rule_line(pipeline)}"

    shown = t2s("explain", place, "--data", str(pipeline.paths.root))
    explained = json_of(t2s("explain", place, "--data", str(pipeline.paths.root), "--json"))

    assert REFUSAL in shown.stdout
    assert "4 traces of 4 tasks" in shown.stdout
    assert explained["rule_id"] in shown.stdout
    assert explained["support"]["tasks"] == 4
    assert {"traces", "tasks", "success", "failure"} <= explained["support"].keys()
    quotes = [evidence["quote"] for evidence in explained["evidence"]]
    assert REFUSAL in quotes
    assert explained["evidence"][0].keys() >= {"trace_id", "source_uri", "first_step", "last_step", "quote"}


def test_explain_of_a_line_that_is_no_rule_says_what_it_is(learnt: Learnt) -> None:
    pipeline, _ = learnt

    done = t2s("explain", f"{pipeline.paths.skills / 'booking' / 'SKILL.md'}:1")

    assert done.returncode == 0
    assert "rule r-" not in done.stdout


def test_status_lists_each_skill_and_what_could_not_be_read(learnt: Learnt) -> None:
    pipeline, _ = learnt

    shown = t2s("status", "--data", str(pipeline.paths.root))
    status = json_of(t2s("status", "--data", str(pipeline.paths.root), "--json"))

    assert "up to date" in shown.stdout
    assert "a.jsonl#L5" in shown.stdout
    (skill,) = status["skills"]
    assert (skill["traces"], skill["tasks"], skill["quarantined"], skill["up_to_date"]) == (4, 4, 1, True)
    assert status["quarantine"][0]["where"] == "inbox/booking/a.jsonl#L5"


def test_inspect_shows_how_a_file_would_be_read_and_stores_nothing(tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    file.write_text(json.dumps(conversation(1)) + "\nnot json\n", encoding="utf-8")

    found = json_of(t2s("inspect", str(file), "--json", cwd=tmp_path))

    assert (found["traces"], found["quarantined"], found["tasks"]) == (1, 1, 1)
    assert found["first_traces"][0]["format"] == "openai_chat"
    assert [path.name for path in tmp_path.iterdir()] == ["chat.jsonl"]


def test_formats_are_listed() -> None:
    done = t2s("formats")

    assert {"openai_chat", "tau_bench", "intercode", "claude_code"} <= set(done.stdout.split())


def test_an_empty_inbox_says_what_to_do(tmp_path: Path) -> None:
    done = t2s("run", cwd=tmp_path)

    assert done.returncode == 0
    assert "data/inbox" in done.stdout


def test_a_run_that_could_read_nothing_fails(tmp_path: Path) -> None:
    file = tmp_path / "inbox" / "broken" / "noise.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(range(256)))

    done = t2s("run", "--json", T2S_DATA=str(tmp_path))

    assert done.returncode == 1
    assert json_of(done)["quarantined"] == 1
    assert "None of the input could be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--skill", "nobody"], "no traces for a skill named 'nobody'"),
        (["explain", "nowhere/SKILL.md:3"], "nowhere/SKILL.md does not exist"),
        (["inspect", "nothing.jsonl"], "nothing.jsonl is not a file"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    done = t2s(*arguments, cwd=tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert sentence in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    done = t2s("status", cwd=tmp_path, T2S_BATCH_TRACES="many")

    assert done.returncode == 1
    assert "T2S_BATCH_TRACES is set to 'many'" in done.stderr


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("status", "T2S_REDACTION__PERSONAL", "foo"),
        ("plan", "T2S_BUDGET_USD", "five"),
        ("run", "T2S_REDACTION__SECRETS", "maybe"),
    ],
)
def test_so_is_one_inside_another_and_one_of_the_endpoint(
    command: str, name: str, value: str, tmp_path: Path
) -> None:
    done = t2s(command, cwd=tmp_path, **{name: value})

    assert done.returncode == 1
    assert f"{name} is set to '{value}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_does_not_exist_is_told(tmp_path: Path) -> None:
    done = t2s("status", cwd=tmp_path, T2S_MIN_TASK="5")

    assert done.returncode == 0
    assert "did you mean T2S_MIN_TASKS?" in done.stderr


def test_a_run_in_which_traces_could_not_be_analysed_fails_and_keeps_what_was_finished(
    tmp_path: Path,
) -> None:
    pipeline = pipeline_in(tmp_path)
    drop(pipeline, "booking", "a.jsonl", range(2))
    nobody = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "T2S_MODEL": "m", "T2S_DATA": str(tmp_path)}

    done = t2s("run", "--engine", "llm", **nobody, T2S_MAX_ATTEMPTS="1", T2S_OUTAGE_LIMIT_S="0")
    shown = t2s("status", **nobody)

    assert done.returncode == 1
    assert "Updated: booking" in done.stdout
    assert "Not analysed: 2 of the traces" in done.stderr
    assert "no connection to http://127.0.0.1:9/v1" in shown.stdout


@pytest.mark.slow
def test_only_the_skill_that_was_asked_for_is_brought_up_to_date(tmp_path: Path) -> None:
    pipeline = pipeline_in(tmp_path)
    drop(pipeline, "booking", "a.jsonl", range(2))
    drop(pipeline, "seating", "b.jsonl", range(10, 12))

    only = json_of(t2s("run", "--skill", "seating", "--json", T2S_DATA=str(tmp_path)))
    rest = json_of(t2s("run", "--json", T2S_DATA=str(tmp_path)))

    assert [skill["name"] for skill in only["skills"]] == only["updated"] == ["seating"]
    assert rest["updated"] == ["booking"]
    assert [skill["name"] for skill in rest["skills"]] == ["booking", "seating"]


def test_a_file_where_the_data_should_be_is_told_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("not a folder")

    done = t2s("status", "--data", str(file))

    assert done.returncode == 1
    assert done.stderr == f"t2s: {file}: File exists\n"
