"""A skill handed out: a folder for a client, or one file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.export import export_skill
from t2s_pipeline.skills.spec import check_skill_directory
from t2s_pipeline.skills.tree import read_tree
from t2s_pipeline_tests.skills.builders import Desk, airline

SKILL = "airline-service-desk"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "data")
    made.publish()
    return made


def test_a_folder_of_skills_gets_the_whole_skill(desk: Desk, tmp_path: Path) -> None:
    written = export_skill(desk.paths, SKILL, tmp_path / ".claude" / "skills")

    assert written == tmp_path / ".claude" / "skills" / SKILL
    assert check_skill_directory(written) == []
    assert read_tree(written).files == read_tree(desk.skill).files


def test_an_older_export_is_replaced_and_a_stranger_is_not(desk: Desk, tmp_path: Path) -> None:
    export_skill(desk.paths, SKILL, tmp_path)
    desk.learn(airline()[:4])
    desk.publish()
    export_skill(desk.paths, SKILL, tmp_path)
    (tmp_path / SKILL / "mine.md").write_text("mine")

    with pytest.raises(SkillInvalid, match="person's edits"):
        export_skill(desk.paths, SKILL, tmp_path)
    export_skill(desk.paths, SKILL, tmp_path, force=True)

    assert not (tmp_path / SKILL / "mine.md").exists()


def test_an_archive_holds_the_directory_and_is_the_same_every_time(desk: Desk, tmp_path: Path) -> None:
    first = export_skill(desk.paths, SKILL, tmp_path / "a.skill").read_bytes()
    second = export_skill(desk.paths, SKILL, tmp_path / "b.skill").read_bytes()

    with zipfile.ZipFile(io.BytesIO(first)) as packed:
        names = packed.namelist()
    assert first == second
    assert f"{SKILL}/SKILL.md" in names and all(name.startswith(f"{SKILL}/") for name in names)


def test_a_skill_that_is_not_published_cannot_be_exported(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(SkillInvalid, match="not published"):
        export_skill(desk.paths, "nothing", tmp_path)


def test_an_archive_of_somebody_else_is_replaced_only_by_force(desk: Desk, tmp_path: Path) -> None:
    precious = tmp_path / "precious.zip"
    precious.write_bytes(b"precious")

    with pytest.raises(SkillInvalid, match="export with force"):
        export_skill(desk.paths, SKILL, precious)
    kept = precious.read_bytes()
    export_skill(desk.paths, SKILL, precious, force=True)

    assert kept == b"precious"
    assert zipfile.is_zipfile(precious)


def test_an_archive_that_only_looks_like_ours_is_not_replaced(desk: Desk, tmp_path: Path) -> None:
    packed = export_skill(desk.paths, SKILL, tmp_path / "a.skill")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(f"{SKILL}/mine.md", "mine")
    damaged = tmp_path / "b.skill"
    raw = export_skill(desk.paths, SKILL, damaged).read_bytes()
    damaged.write_bytes(raw[:200] + bytes(100) + raw[300:])

    for foreign in (packed, damaged):
        with pytest.raises(SkillInvalid, match="export with force"):
            export_skill(desk.paths, SKILL, foreign)


def test_an_older_archive_is_replaced(desk: Desk, tmp_path: Path) -> None:
    before = export_skill(desk.paths, SKILL, tmp_path / "a.skill").read_bytes()
    desk.learn(airline()[:4])
    desk.publish()

    after = export_skill(desk.paths, SKILL, tmp_path / "a.skill").read_bytes()

    assert before != after


@pytest.mark.parametrize("force", [False, True])
def test_what_stands_in_the_way_and_is_of_another_kind_is_told_in_a_sentence(
    desk: Desk, tmp_path: Path, force: bool
) -> None:
    folder, clients, file = tmp_path / "folder.skill", tmp_path / "clients", tmp_path / "notes.txt"
    folder.mkdir()
    clients.mkdir()
    (clients / SKILL).write_text("a file")
    file.write_text("notes")

    for to, why in (
        (folder, "is a folder"),
        (clients, "is a file"),
        (file, "is a file"),
        (file / "x", "written"),
    ):
        with pytest.raises(SkillInvalid, match=why):
            export_skill(desk.paths, SKILL, to, force=force)

    assert list(folder.iterdir()) == []
    assert (clients / SKILL).read_text() == "a file"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clients",
        "data",
        "folder.skill",
        "notes.txt",
    ]
