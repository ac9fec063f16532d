"""Publishing: versions by content, nothing written when nothing changed, nothing lost when it dies."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from t2s_pipeline.skills import place as place_module
from t2s_pipeline.skills import swap, versions
from t2s_pipeline.skills.history import log
from t2s_pipeline.skills.place import Place
from t2s_pipeline.skills.spec import check_skill_directory
from t2s_pipeline.skills.tree import content_hash, read_tree
from t2s_pipeline_tests.skills.builders import Desk, Room, airline, cluster

SKILL = "airline-service-desk"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_published_skill_is_valid_and_its_version_is_its_content(desk: Desk) -> None:
    report = desk.publish()

    assert report.changed and report.parent is None
    assert check_skill_directory(report.path) == []
    assert content_hash(read_tree(report.path).files) == report.version
    assert f'version: "{report.version}"' in desk.page
    assert report.rules == 8 and report.references == 1


def test_publishing_again_changes_nothing(desk: Desk) -> None:
    first = desk.publish()
    before = {path: path.stat().st_mtime_ns for path in desk.paths.skills.rglob("*")}

    second = desk.publish()

    assert not second.changed and second.version == first.version
    assert {path: path.stat().st_mtime_ns for path in desk.paths.skills.rglob("*")} == before


def test_the_same_clusters_give_the_same_bytes_in_another_place_and_order(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other")
    other.learn(airline()[::-1])

    one, two = desk.publish(), other.publish()

    assert one.version == two.version
    assert read_tree(one.path).files == read_tree(two.path).files


def test_going_back_and_forth_between_clusters_ends_where_a_rebuild_does(desk: Desk) -> None:
    first = desk.publish()
    desk.learn(airline()[:3])
    second = desk.publish()
    desk.learn(airline())

    third = desk.publish()

    assert second.version != first.version
    assert third.version == first.version
    assert third.changed


def test_a_version_says_which_lessons_came_and_went(desk: Desk) -> None:
    desk.publish()
    desk.learn(airline()[:4])

    report = desk.publish()

    record = desk.versions.record(report.version)
    assert record.lessons_added == 0
    assert record.lessons_removed == sum(item.support.traces for item in airline()[4:-1])
    assert record.removed[0].startswith("l-")


def test_a_base_skill_is_deepened_and_its_patch_is_recorded(desk: Desk) -> None:
    base = desk.paths.base / SKILL
    (base / "scripts").mkdir(parents=True)
    (base / "SKILL.md").write_text(
        f"---\nname: {SKILL}\ndescription: Mine.\n---\n# Desk\n\n## Tools\n\n- Be nice.\n"
    )
    (base / "scripts" / "run.sh").write_text("#!/bin/sh\n")
    (base / "scripts" / "run.sh").chmod(0o755)

    report = desk.publish()

    assert "description: Mine.\n" in desk.page
    assert os.access(report.path / "scripts" / "run.sh", os.X_OK)
    patch = desk.versions.record(report.version).patch
    assert patch is not None and {edit.op for edit in patch.edits} >= {
        "append_to_section",
        "create_reference",
    }
    assert check_skill_directory(report.path) == []


def test_links_out_of_a_base_skill_are_left_out_and_named(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    base = desk.paths.base / SKILL
    base.mkdir(parents=True)
    (base / "SKILL.md").write_text(f"---\nname: {SKILL}\ndescription: Mine.\n---\n# Desk\n")
    (base / "stolen.txt").symlink_to(tmp_path / "secret.txt")

    report = desk.publish()

    assert not (report.path / "stolen.txt").exists()
    assert any("stolen.txt" in problem for problem in report.problems)


def test_a_skill_in_place_that_is_a_person_s_becomes_the_base(desk: Desk) -> None:
    desk.skill.mkdir(parents=True)
    (desk.skill / "SKILL.md").write_text(f"---\nname: {SKILL}\ndescription: Mine.\n---\n# My desk\n\nMine.\n")

    report = desk.publish()

    assert "# My desk\n\nMine.\n" in desk.page
    assert (desk.paths.base / SKILL / "SKILL.md").is_file()
    assert any("base skill now" in problem for problem in report.problems)
    assert not desk.publish().changed


def test_hand_edits_survive_several_rounds(desk: Desk) -> None:
    desk.publish()
    desk.rewrite("**Pay with a gift card only what is left on it.**", "**Check the card's balance.**")
    desk.rewrite("## When a call fails\n", "## Tone\n\nStay calm.\n\n## When a call fails\n")
    deleted = next(line for line in desk.page.splitlines() if "Do not search one-stop" in line)
    desk.rewrite(deleted + "\n", "")

    for clusters in (airline()[:-1], airline()[:5], airline()):
        desk.learn(clusters)
        report = desk.publish()
        assert "**Check the card's balance.**" in desk.page
        assert "Stay calm." in desk.page
        assert "one-stop" not in desk.body
        assert check_skill_directory(report.path) == []

    assert (report.hand_edited, report.withheld) == (1, 1)
    assert not desk.publish().changed


def test_what_a_person_made_of_a_version_is_a_version_too(desk: Desk) -> None:
    first = desk.publish()
    desk.rewrite("# Airline service desk\n", "# The desk\n")
    edited = desk.page
    desk.learn(airline()[:5])

    report = desk.publish()

    assert report.parent is not None
    record = desk.versions.record(report.parent)
    assert (record.origin, record.parent) == ("hand", first.version)
    assert (desk.versions.directory(report.parent) / "SKILL.md").read_text() == edited


def test_local_files_such_as_a_repository_stay_in_place(desk: Desk) -> None:
    desk.publish()
    (desk.skill / ".git").mkdir()
    (desk.skill / ".git" / "HEAD").write_text("ref")
    desk.learn(airline()[:5])

    report = desk.publish()

    assert report.changed
    assert (desk.skill / ".git" / "HEAD").read_text() == "ref"


class Died(BaseException):
    """The program was killed here."""


def die_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int) -> None:
    """Make the `call`-th use of a function the moment the program dies."""
    real: Callable[..., object] = getattr(owner, name)
    seen = [0]

    def dying(*args: object, **kwargs: object) -> object:
        seen[0] += 1
        if seen[0] == call:
            raise Died
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, dying)


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(Path, "rename", call) for call in range(1, 5)]
    + [(Path, "replace", call) for call in range(1, 4)]
    + [(swap, "write_tree", 1), (versions, "write_tree", 1), (swap, "sync_directory", 1)]
    + [(place_module, "discard", 1), *((swap.shutil, "rmtree", call) for call in range(1, 6))],
)
def test_dying_at_any_moment_leaves_a_whole_skill_and_the_next_run_completes_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int, atomic: bool
) -> None:
    old = desk.publish()
    desk.learn(airline()[:4])
    if not atomic:
        monkeypatch.setattr(swap, "exchange", lambda *_: False)
        monkeypatch.setattr(place_module, "exchange", lambda *_: False)
    die_at(monkeypatch, owner, name, call)
    with contextlib.suppress(Died):
        desk.publish()
    monkeypatch.undo()

    in_place = content_hash(read_tree(desk.skill).files) if desk.skill.is_dir() else None
    report = desk.publish()

    assert in_place in ({old.version, report.version} if atomic else {old.version, report.version, None})
    assert content_hash(read_tree(desk.skill).files) == report.version != old.version
    assert check_skill_directory(desk.skill) == []
    assert [path.name for path in desk.paths.skills.iterdir()] == [SKILL]
    assert desk.versions.exists(old.version)
    assert log(desk.paths, SKILL)[0].record.version == report.version


def test_several_publishers_at_once_agree(desk: Desk) -> None:
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(desk.publish())) for _ in range(3)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({report.version for report in reports}) == 1
    assert sorted(report.changed for report in reports) == [False, False, True]


def test_an_edit_saved_while_publishing_is_not_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.publish()
    desk.learn(airline()[:5])
    real = place_module.replace_directory
    saved = []

    def saving(target: Path, tree: object) -> Path | None:
        if not saved:
            saved.append(True)
            desk.rewrite("# Airline service desk\n", "# Airline service desk\n\nSaved just now.\n")
        return real(target, tree)  # type: ignore[arg-type]

    monkeypatch.setattr(place_module, "replace_directory", saving)

    report = desk.publish()

    assert "Saved just now." in desk.page
    assert "references" not in report.problems
    assert "one-stop" not in desk.body


def test_versions_lost_means_the_skill_in_place_is_kept_first(desk: Desk) -> None:
    desk.publish()
    desk.rewrite("# Airline service desk\n", "# The desk\n")
    folder = desk.paths.versions / SKILL
    folder.rename(desk.paths.root / "gone")

    report = desk.publish()

    kept = [record for record in desk.versions.records() if record.origin == "hand"]
    assert any("belongs to no known version" in problem for problem in report.problems)
    assert b"# The desk" in desk.versions.tree(kept[0].version)["SKILL.md"].data
    assert Place(desk.paths, desk.versions).deployed(read_tree(report.path).files) == report.version


def test_the_store_knows_the_lines_of_the_published_version(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn(SKILL, airline())
    report = room.publish(SKILL)

    rows = room.store.query("SELECT * FROM rules WHERE skill = ? ORDER BY path, first_line", [SKILL])
    assert rows.height == report.rules
    for row in rows.iter_rows(named=True):
        lines = (report.path / row["path"]).read_text().splitlines()
        assert lines[row["first_line"] - 1] == row["text"]
        assert row["version"] == report.version


def test_the_store_lists_every_version_and_marks_the_one_in_place(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn(SKILL, airline())
    first = room.publish(SKILL)
    room.learn(SKILL, airline()[:4])

    second = room.publish(SKILL)

    rows = room.store.query("SELECT version, parent, published FROM versions WHERE skill = ?", [SKILL])
    assert set(rows.iter_rows()) == {(first.version, None, False), (second.version, first.version, True)}


def test_a_rule_a_person_deleted_is_remembered_in_the_words_of_today_or_in_none(tmp_path: Path) -> None:
    """The words of then may come from a trace that was forgotten since."""
    gone = cluster("Pay with card 4411 first", key="pay", tasks=9)
    desk = Desk(tmp_path)
    desk.learn([*airline(), gone])
    desk.publish()
    page = desk.page.splitlines(keepends=True)
    (desk.skill / "SKILL.md").write_text("".join(line for line in page if "card 4411" not in line))
    said = []
    for today in ([cluster("Pay with a card first", key="pay", tasks=8)], []):
        desk.learn([*airline(), *today])
        desk.publish()
        said.append((desk.skill / "lineage.json").read_text())

    assert all("4411" not in text for text in said)
    assert "Pay with a card first" in said[0]
    assert ['"withheld":[\n' in text for text in said] == [True, True]
