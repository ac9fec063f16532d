"""`t2s impact`: from a trace to the lines that rest on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from t2s_pipeline_tests.commands.in_process import Terminal
from t2s_pipeline_tests.skills.builders import Room, airline

SKILL = "airline-service-desk"
TRACE = f"t-{SKILL}-00007"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    room = Room(tmp_path_factory.mktemp("data"))
    room.learn(SKILL, airline())
    room.publish(SKILL)
    return room


@pytest.fixture
def t2s(room: Room) -> Terminal:
    return Terminal(room.paths.root)


def test_a_trace_leads_over_its_lessons_to_the_lines_that_say_them(t2s: Terminal, room: Room) -> None:
    found = t2s("impact", TRACE, "--json").json

    assert (found["trace_id"], found["source_uri"]) == (TRACE, f"inbox/{SKILL}/chat.jsonl#L8")
    assert found["lessons"] == sum(len(rests["lessons"]) for rests in found["rests"]) == 7
    for rests in found["rests"]:
        for rule in rests["rules"]:
            lines = (room.skill(SKILL) / rule["path"]).read_text().splitlines()
            assert lines[rule["line"] - 1] == rule["text"]
        assert all(one["quotes"][0]["quote"].startswith("Error") for one in rests["lessons"])


def test_what_is_shown_leads_back_by_explain(t2s: Terminal) -> None:
    shown = t2s("impact", TRACE)
    place = next(line.split("  ")[0] for line in shown.out.splitlines() if "SKILL.md:" in line)

    explained = t2s("explain", place)

    assert "rests on" in shown.out and "> Error 7: refused" in shown.out
    assert "rule r-" in explained.out


def test_a_trace_is_named_by_its_source_or_the_beginning_of_its_id(t2s: Terminal) -> None:
    by_id = t2s("impact", TRACE, "--json").json

    assert t2s("impact", "chat.jsonl#L8", "--json").json == by_id
    assert t2s("impact", f"inbox/{SKILL}/chat.jsonl#L8", "--json").json == by_id


def test_a_candidate_that_rests_on_one_trace_says_so(t2s: Terminal) -> None:
    done = t2s("impact", f"t-{SKILL}-00000")

    assert "in no rule (candidate: 1 tasks)  rests on this trace alone" in done.out


def test_a_rule_that_a_person_moved_is_found_at_its_line_now(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn(SKILL, airline())
    room.publish(SKILL)
    page = room.skill(SKILL) / "SKILL.md"
    page.write_text(page.read_text().replace("## How to work\n", "Mine.\n\n## How to work\n"))

    found = Terminal(tmp_path)("impact", TRACE, "--json").json

    lines = page.read_text().splitlines()
    in_page = [rule for rests in found["rests"] for rule in rests["rules"] if rule["path"] == "SKILL.md"]
    assert len(in_page) == 6
    assert all(lines[rule["line"] - 1] == rule["text"] for rule in in_page)


def test_lessons_that_were_not_consolidated_yet_are_shown_as_waiting(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn(SKILL, airline())
    empty = room.store.query("SELECT * FROM clusters WHERE false")
    members = room.store.query("SELECT * FROM cluster_lessons WHERE false")
    room.store.replace({"skill": SKILL}, {"clusters": empty, "cluster_lessons": members})

    t2s = Terminal(tmp_path)

    assert len(t2s("impact", TRACE, "--json").json["waiting"]) == 7
    assert "not consolidated yet" in t2s("impact", TRACE).out


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("t-nothing", "There is no trace 't-nothing'"),
        ("", "There is no trace ''"),
        ("%", "There is no trace '%'"),
        (f"t-{SKILL}-0000", "10 traces answer to"),
    ],
)
def test_a_name_that_is_not_one_trace_is_refused(t2s: Terminal, name: str, sentence: str) -> None:
    done = t2s("impact", name)

    assert (done.code, done.out) == (1, "")
    assert sentence in done.err


@pytest.mark.slow
def test_as_a_program_it_prints_one_object_and_nothing_else(room: Room) -> None:
    command = [sys.executable, "-m", "t2s_pipeline.cli", "impact", TRACE, "--json"]

    done = subprocess.run(
        [*command, "--data", str(room.paths.root)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["trace_id"] == TRACE
