"""`t2s log`, `t2s diff`, `t2s rollback`."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.assets.consolidation import skill_directory
from t2s_pipeline.assets.instance import instance_at
from t2s_pipeline.assets.partitions import SKILLS
from t2s_pipeline_tests.commands.in_process import Terminal
from t2s_pipeline_tests.skills.builders import Room, airline

pytestmark = pytest.mark.slow

SKILL = "airline-service-desk"


def two_versions(root: Path) -> Room:
    """A skill with two versions: the second has lost three rules."""
    room = Room(root)
    room.learn(SKILL, airline())
    room.publish(SKILL)
    room.learn(SKILL, airline()[:5])
    room.publish(SKILL)
    return room


@pytest.fixture(scope="module")
def t2s(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """For commands that change nothing."""
    return Terminal(two_versions(tmp_path_factory.mktemp("data")).paths.root)


def versions(t2s: Terminal) -> list[str]:
    return [entry["record"]["version"] for entry in t2s("log", SKILL, "--json").json["versions"]]


def test_the_log_shows_each_version_and_which_is_in_place(t2s: Terminal) -> None:
    done = t2s("log", SKILL)
    logged = t2s("log", SKILL, "--json").json

    newest, oldest = logged["versions"]
    assert (newest["in_place"], oldest["in_place"]) == (True, False)
    assert newest["record"]["parent"] == oldest["record"]["version"]
    assert newest["record"]["lessons_removed"] > 0
    (_, first, second) = done.out.splitlines()
    assert first.startswith(newest["record"]["version"]) and "in place" in first
    assert second.startswith(oldest["record"]["version"]) and "in place" not in second


def test_a_diff_without_versions_is_what_the_last_publication_changed(t2s: Terminal) -> None:
    newest, oldest = versions(t2s)

    done = t2s("diff", SKILL)
    changed = t2s("diff", SKILL, "--json").json

    assert done.out.splitlines()[0] == f"{SKILL}: {oldest} → {newest}, rules: 3 removed"
    assert "-- **Do not search one-stop flights" in done.out
    assert (changed["before"], changed["after"], len(changed["rules"])) == (oldest, newest, 3)


def test_versions_are_named_by_their_first_digits(t2s: Terminal) -> None:
    newest, oldest = versions(t2s)

    back = t2s("diff", SKILL, newest[:6], oldest[:6])
    same = t2s("diff", SKILL, newest[:6])

    assert "+- **Do not search one-stop flights" in back.out
    assert same.out == f"{SKILL}: no difference between {newest} and {newest}.\n"


def test_rolling_back_and_forward_moves_the_directory_and_the_store(tmp_path: Path) -> None:
    room, t2s = two_versions(tmp_path), Terminal(tmp_path)
    newest, oldest = versions(t2s)

    back = t2s("rollback", SKILL)
    in_directory = (room.skill(SKILL) / "SKILL.md").read_text()
    in_store = room.store.query("SELECT version FROM versions WHERE published")["version"].to_list()
    forward = t2s("rollback", SKILL, newest[:8], "--json").json

    assert f"version {oldest} now instead of {newest}" in back.out
    assert f'version: "{oldest}"' in in_directory
    assert in_store == [oldest]
    assert (forward["version"], forward["instead_of"], forward["skill"]) == (newest, oldest, SKILL)


@pytest.mark.slow
def test_rolling_back_is_a_materialisation_in_the_instance_that_is_there(tmp_path: Path) -> None:
    room, t2s = two_versions(tmp_path), Terminal(tmp_path)
    newest, oldest = versions(t2s)
    with instance_at(room.paths) as instance:
        nothing = instance.get_latest_materialization_event(skill_directory.key)

    t2s("rollback", SKILL)

    with instance_at(room.paths) as instance:
        event = instance.get_latest_materialization_event(skill_directory.key)
        partitions = instance.get_dynamic_partitions(SKILLS)
    told = event.asset_materialization if event else None
    assert nothing is None and told is not None
    assert (told.partition, partitions) == (SKILL, [SKILL])
    assert told.description == f"Rolled back: version {oldest} instead of {newest}"
    assert told.tags is not None and told.tags["dagster/data_version"] == oldest
    assert {name: told.metadata[name].value for name in ("version", "parent", "changed", "rules")} == {
        "version": oldest,
        "parent": newest,
        "changed": True,
        "rules": room.store.query("SELECT rule_id FROM rules").height,
    }
    assert {"preview", "what it rests on", "what traces taught", "SKILL.md"} <= told.metadata.keys()


def test_where_there_is_no_instance_rolling_back_makes_none(tmp_path: Path) -> None:
    room, t2s = two_versions(tmp_path), Terminal(tmp_path)

    assert t2s("rollback", SKILL).code == 0
    assert not room.paths.dagster.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("log", "nobody"), "There is no skill 'nobody'"),
        (("diff", "nobody"), f"Skills: {SKILL}."),
        (("rollback", "../skills/" + SKILL), "There is no skill '../skills/"),
        (("diff", SKILL, "zzz"), "has no version starting with 'zzz'"),
        (("rollback", SKILL, ""), "starting with ''"),
    ],
)
def test_what_is_not_there_is_told_in_one_sentence(
    t2s: Terminal, arguments: tuple[str, ...], sentence: str
) -> None:
    done = t2s(*arguments)

    assert (done.code, done.out) == (1, "")
    assert sentence in done.err


def test_rolling_back_to_what_is_in_place_is_refused(t2s: Terminal) -> None:
    newest, _ = versions(t2s)

    done = t2s("rollback", SKILL, newest)

    assert (done.code, done.out) == (1, "")
    assert "is in place already" in done.err


def test_before_anything_was_learnt_the_next_step_is_named(tmp_path: Path) -> None:
    done = Terminal(tmp_path / "empty")("log", SKILL)

    assert done.code == 1
    assert "`t2s run` does that" in done.err
