"""`t2s export` and `t2s check`."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from t2s_pipeline.skills.tree import read_tree
from t2s_pipeline_tests.commands.in_process import Terminal
from t2s_pipeline_tests.skills.builders import Room, airline

SKILL = "airline-service-desk"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    room = Room(tmp_path_factory.mktemp("data"))
    room.learn(SKILL, airline())
    room.publish(SKILL)
    return room


@pytest.fixture
def t2s(room: Room) -> Terminal:
    return Terminal(room.paths.root)


def test_a_skill_is_copied_into_a_folder_of_skills(t2s: Terminal, room: Room, tmp_path: Path) -> None:
    done = t2s("export", SKILL, "--to", str(tmp_path / ".claude" / "skills"), "--json")

    exported = tmp_path / ".claude" / "skills" / SKILL
    assert done.json == {"skill": SKILL, "path": str(exported)}
    assert read_tree(exported).files == read_tree(room.skill(SKILL)).files


def test_an_archive_is_written_under_the_name_given(t2s: Terminal, tmp_path: Path) -> None:
    done = t2s("export", SKILL, "--to", str(tmp_path / "desk.skill"))

    assert done.out == f"{SKILL} was written to {tmp_path / 'desk.skill'}.\n"
    assert f"{SKILL}/SKILL.md" in zipfile.ZipFile(tmp_path / "desk.skill").namelist()


def test_what_somebody_else_wrote_is_replaced_only_by_force(t2s: Terminal, tmp_path: Path) -> None:
    theirs = tmp_path / SKILL / "SKILL.md"
    theirs.parent.mkdir()
    theirs.write_text("mine\n")

    refused = t2s("export", SKILL, "--to", str(tmp_path))
    unchanged = theirs.read_text()
    forced = t2s("export", SKILL, "--to", str(tmp_path), "--force")

    assert (refused.code, refused.out, unchanged) == (1, "", "mine\n")
    assert "export with" in refused.err
    assert forced.code == 0 and theirs.read_text() != "mine\n"


def test_only_a_published_skill_is_exported(t2s: Terminal, tmp_path: Path) -> None:
    done = t2s("export", "../nobody", "--to", str(tmp_path))

    assert done.code == 1
    assert f"Skills: {SKILL}." in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_valid_skill_passes_the_check(t2s: Terminal, room: Room) -> None:
    done = t2s.without_data("check", str(room.skill(SKILL)))
    checked = t2s.without_data("check", str(room.skill(SKILL) / "SKILL.md"), "--json").json

    assert done.code == 0
    assert "valid" in done.out
    assert checked["problems"] == []
    assert 0 < checked["lines"] < 500


def test_a_skill_that_breaks_the_specification_fails_the_check_with_its_problems(
    t2s: Terminal, tmp_path: Path
) -> None:
    skill = tmp_path / "desk"
    skill.mkdir()
    (skill / "SKILL.md").write_text("---\nname: other\ndescription: Serve.\n---\n[a](none.md)\n")

    done = t2s.without_data("check", str(skill))
    checked = t2s.without_data("check", str(skill), "--json")

    assert done.code == checked.code == 1
    assert "none.md" in done.out and "2 problems" in done.out
    assert len(checked.json["problems"]) == 2


def test_a_check_of_nothing_is_an_error(t2s: Terminal, tmp_path: Path) -> None:
    done = t2s.without_data("check", str(tmp_path / "nothing"))

    assert done.code == 1
    assert "is not a skill directory" in done.err


@pytest.mark.slow
def test_as_a_program_the_check_ends_with_its_verdict(room: Room) -> None:
    command = [sys.executable, "-m", "t2s_pipeline.cli", "check"]

    good = subprocess.run([*command, str(room.skill(SKILL))], capture_output=True, text=True, check=False)
    bad = subprocess.run([*command, str(room.paths.root)], capture_output=True, text=True, check=False)

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "SKILL.md is missing." in bad.stdout
    assert good.stderr == bad.stderr == ""
