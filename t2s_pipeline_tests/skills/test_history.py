"""Looking back over versions and going back to one."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.history import diff, log, rollback
from t2s_pipeline_tests.skills.builders import NOW, Desk, Room, airline

SKILL = "airline-service-desk"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_rolling_back_puts_the_version_before_in_place_and_keeps_it_there(desk: Desk) -> None:
    first = desk.publish()
    desk.learn(airline()[:5])
    second = desk.publish()

    record = rollback(desk.paths, SKILL, now=NOW)
    again = desk.publish()

    assert record.version == first.version == again.version
    assert not again.changed
    assert any(second.version in problem for problem in again.problems)


def test_after_a_roll_back_something_new_is_published(desk: Desk) -> None:
    desk.publish()
    desk.learn(airline()[:5])
    second = desk.publish()
    rollback(desk.paths, SKILL, now=NOW)
    desk.learn(airline()[:6])

    report = desk.publish()

    assert report.changed and report.version != second.version


def test_rolling_back_keeps_unpublished_hand_edits_as_a_version(desk: Desk) -> None:
    first = desk.publish()
    desk.learn(airline()[:5])
    desk.publish()
    desk.rewrite("# Airline service desk\n", "# The desk\n")

    rollback(desk.paths, SKILL, first.version[:6], now=NOW)

    assert "# Airline service desk\n" in desk.page
    assert [entry.record.origin for entry in log(desk.paths, SKILL)].count("hand") == 1


def test_rolling_back_goes_to_what_was_in_place_even_if_that_was_a_hand_edit(desk: Desk) -> None:
    desk.publish()
    desk.rewrite("# Airline service desk\n", "# The desk\n")
    edited = desk.page
    desk.learn(airline()[:5])
    desk.publish()

    record = rollback(desk.paths, SKILL, now=NOW)

    assert record.origin == "hand"
    assert desk.page == edited
    assert [entry.record.version for entry in log(desk.paths, SKILL) if entry.in_place] == [record.version]


def test_a_version_published_again_is_left_for_the_one_before_it(desk: Desk) -> None:
    desk.publish()
    desk.learn(airline()[:5])
    second = desk.publish()
    desk.learn(airline())
    desk.publish()

    record = rollback(desk.paths, SKILL, now=NOW)

    assert record.version == second.version


def test_rolling_back_to_nowhere_is_refused(desk: Desk) -> None:
    with pytest.raises(SkillInvalid, match="no versions yet"):
        rollback(desk.paths, SKILL, now=NOW)
    desk.publish()
    with pytest.raises(SkillInvalid, match="no version before"):
        rollback(desk.paths, SKILL, now=NOW)
    with pytest.raises(SkillInvalid, match="no version starting with"):
        rollback(desk.paths, SKILL, "fffff", now=NOW)


def test_the_log_lists_versions_newest_first(desk: Desk) -> None:
    first = desk.publish()
    desk.learn(airline()[:5])
    second = desk.publish()

    entries = log(desk.paths, SKILL)

    assert [entry.record.version for entry in entries] == [second.version, first.version]
    assert [entry.in_place for entry in entries] == [True, False]


def test_a_diff_shows_rules_and_lines(desk: Desk) -> None:
    first = desk.publish()
    desk.learn(airline()[:5])
    second = desk.publish()

    found = diff(desk.paths, SKILL)

    assert (found.before, found.after) == (first.version, second.version)
    assert {change.before is not None and "one-stop" in change.before for change in found.rules} == {
        True,
        False,
    }
    assert "-- **Do not search one-stop" in found.text
    assert "version:" not in "".join(line for line in found.text.splitlines() if line[:1] in "+-")


def test_a_diff_of_a_hand_edit_shows_what_the_person_did(desk: Desk) -> None:
    desk.publish()
    desk.rewrite("# Airline service desk\n", "# The desk\n")

    found = diff(desk.paths, SKILL)

    assert [line for line in found.text.splitlines() if line[:2] in ("-#", "+#")] == [
        "-# Airline service desk", "+# The desk",
    ]  # fmt: skip


def test_the_store_follows_a_roll_back(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn(SKILL, airline())
    first = room.publish(SKILL)
    room.learn(SKILL, airline()[:5])
    room.publish(SKILL)

    rollback(room.paths, SKILL, now=NOW, store=room.store)

    rows = room.store.query("SELECT version FROM versions WHERE published")
    assert rows["version"].to_list() == [first.version]
