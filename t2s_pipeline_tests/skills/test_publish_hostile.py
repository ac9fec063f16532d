"""Publishing where somebody or something has left the skill, its base or its versions in disorder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.history import log
from t2s_pipeline.skills.tree import read_tree
from t2s_pipeline_tests.skills.builders import Desk, airline

SKILL = "airline-service-desk"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A published skill."""
    desk = Desk(tmp_path)
    desk.publish()
    return desk


def directory(desk: Desk) -> Path:
    return desk.paths.skills / SKILL


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_stands_in_the_place_of_the_directory_is_refused_and_left_alone(
    desk: Desk, tmp_path: Path, kind: str
) -> None:
    elsewhere = tmp_path / "repository"
    directory(desk).rename(elsewhere)
    if kind == "link":
        directory(desk).symlink_to(elsewhere)
    else:
        directory(desk).write_text("mine")
    before = read_tree(elsewhere).files
    desk.learn(airline()[:3])

    for _ in range(2):
        with pytest.raises(SkillInvalid, match="a link or a file where the directory of the skill has to be"):
            desk.publish()

    assert directory(desk).is_symlink() == (kind == "link")
    assert read_tree(elsewhere).files == before
    assert sorted(path.name for path in desk.paths.skills.iterdir()) == [SKILL]


def test_what_no_version_can_hold_stays_where_a_person_put_it(desk: Desk, tmp_path: Path) -> None:
    raw = os.fsencode(directory(desk))
    (directory(desk) / "scripts").mkdir()
    (directory(desk) / "scripts" / "shared").symlink_to(tmp_path)
    (directory(desk) / "a\\b.md").write_text("notes")
    Path(os.fsdecode(raw + b"/caf\xe9.md")).write_text("more notes")
    os.mkfifo(directory(desk) / "pipe")
    desk.learn(airline()[:3])

    report = desk.publish()

    assert report.changed
    assert (directory(desk) / "scripts" / "shared").readlink() == tmp_path
    assert (directory(desk) / "a\\b.md").read_text() == "notes"
    assert Path(os.fsdecode(raw + b"/caf\xe9.md")).read_text() == "more notes"
    assert (directory(desk) / "pipe").is_fifo()
    assert sorted(read_tree(directory(desk)).files) == sorted(desk.versions.tree(report.version))


def test_a_base_skill_with_a_name_that_is_no_text_is_used_without_that_file(desk: Desk) -> None:
    base = desk.paths.base / SKILL
    base.mkdir(parents=True)
    (base / "SKILL.md").write_text(f"---\nname: {SKILL}\ndescription: Mine.\n---\n# Mine\n")
    Path(os.fsdecode(os.fsencode(base) + b"/caf\xe9.md")).write_text("x")

    report = desk.publish()

    assert "# Mine" in desk.page
    assert any("a name that is not UTF-8" in problem for problem in report.problems)


@pytest.mark.parametrize("version", ["../../../etc/x", "x", ""])
def test_a_lineage_file_that_names_no_version_counts_as_none(desk: Desk, version: str) -> None:
    lineage = directory(desk) / "lineage.json"
    lineage.write_bytes(lineage.read_bytes().replace(desk.versions.records()[0].version.encode(), b"", 1))
    lineage.write_bytes(lineage.read_bytes().replace(b'"version":"', f'"version":"{version}'.encode(), 1))
    desk.learn(airline()[:3])

    report = desk.publish()

    assert report.changed and report.rules == 3


@pytest.mark.parametrize("name", ["record", "published"])
def test_damaged_notes_about_versions_are_named(desk: Desk, name: str) -> None:
    (version,) = (record.version for record in desk.versions.records())
    path = desk.versions.folder / ("published.jsonl" if name == "published" else f"{version}.json")
    path.write_bytes(b"\xffnonsense\n" + path.read_bytes())
    desk.learn(airline()[:3])

    with pytest.raises(SkillInvalid, match=f"{path.name} is damaged"):
        desk.publish()
    with pytest.raises(SkillInvalid, match=f"{path.name} is damaged"):
        log(desk.paths, SKILL)


def test_a_damaged_list_of_lessons_costs_only_the_count_of_what_is_new(desk: Desk) -> None:
    (version,) = (record.version for record in desk.versions.records())
    (desk.versions.folder / f"{version}.lessons").write_bytes(b"\xff\xfe")
    desk.learn(airline()[:3])

    assert desk.publish().rules == 3
