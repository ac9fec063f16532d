"""Every line of a produced skill explains itself, with and without a store."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.lineage import Explanation, explain
from t2s_pipeline.skills.tree import LINEAGE_FILE
from t2s_pipeline_tests.skills.builders import Room, airline, coding, sql
from t2s_pipeline_tests.skills.test_deepen import BASE

SKILL = "airline-service-desk"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    made = Room(tmp_path_factory.mktemp("data"))
    for skill, clusters in ((SKILL, airline()), ("sql-analytics", sql()), ("repo-repair", coding())):
        made.learn(skill, clusters)
        made.publish(skill)
    base = made.paths.base / "deep-desk"
    base.mkdir(parents=True)
    (base / "SKILL.md").write_text(BASE.replace("airline-service-desk", "deep-desk"))
    (base / "references").mkdir()
    (base / "references" / "fares.md").write_text("# Fares\n")
    made.learn("deep-desk", airline("deep-desk"))
    made.publish("deep-desk")
    return made


def line_with(path: Path, words: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if words in line)


@pytest.mark.parametrize("skill", [SKILL, "sql-analytics", "repo-repair", "deep-desk"])
def test_every_line_that_is_not_blank_is_explained_quickly(room: Room, skill: str) -> None:
    for path in room.skill(skill).rglob("*.md"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            started = time.perf_counter()

            found = explain(path, number, store=room.store)

            assert time.perf_counter() - started < 0.5
            assert found.note
            assert (found.kind_of_line == "blank") == (not line.strip())
            if line.lstrip().startswith(("- **", "* **")):
                assert found.kind_of_line == "rule"
                assert found.evidence and found.support


def test_a_rule_leads_to_its_support_and_to_quotes_in_traces(room: Room) -> None:
    path = room.skill(SKILL) / "SKILL.md"

    found = explain(path, line_with(path, "do not add up"))

    assert found.kind_of_line == "rule"
    assert found.support is not None and (found.support.tasks, found.support.traces) == (6, 19)
    assert found.evidence_total == 19
    assert len(found.evidence) == 8
    assert found.evidence[0].source_uri.startswith(f"inbox/{SKILL}/chat.jsonl#L")
    assert found.evidence[0].quote.startswith("Error")


def test_a_heading_names_the_rules_below_it(room: Room) -> None:
    path = room.skill(SKILL) / "SKILL.md"

    found = explain(path, line_with(path, "## What the tools accept"))

    assert found.kind_of_line == "heading"
    assert len(found.rules) == 4


def test_a_link_names_the_rules_in_the_file_it_leads_to(room: Room) -> None:
    path = room.skill(SKILL) / "SKILL.md"

    found = explain(path, line_with(path, "references/tools.md"))

    assert found.kind_of_line == "structure"
    assert [rule.path for rule in found.rules] == ["references/tools.md"]


def test_a_line_of_the_base_is_a_person_s_and_a_confirmed_one_says_so(room: Room) -> None:
    path = room.skill("deep-desk") / "SKILL.md"

    plain = explain(path, line_with(path, "* Be polite."))
    confirmed = explain(path, line_with(path, "After a refusal"))

    assert plain.kind_of_line == "human" and "base skill" in plain.note
    assert confirmed.state == "confirmed"
    assert confirmed.support is not None and confirmed.support.tasks == 9


def test_the_frontmatter_and_the_whole_file_are_explained(room: Room) -> None:
    path = room.skill(SKILL)

    assert explain(path, 2).kind_of_line == "frontmatter"
    assert len(explain(path).rules) == 7


def test_a_copied_skill_explains_itself_and_moved_lines_are_found(room: Room, tmp_path: Path) -> None:
    copy = tmp_path / SKILL
    shutil.copytree(room.skill(SKILL), copy)
    page = copy / "SKILL.md"
    page.write_text(page.read_text().replace("## How to work\n", "A line of mine.\n\n## How to work\n"))

    found = explain(page, line_with(page, "do not add up"))

    assert found.support is not None and found.support.tasks == 6
    assert explain(page, line_with(page, "A line of mine")).kind_of_line == "human"


def test_a_rule_reworded_in_place_is_still_found(room: Room, tmp_path: Path) -> None:
    copy = tmp_path / SKILL
    shutil.copytree(room.skill(SKILL), copy)
    page = copy / "SKILL.md"
    page.write_text(page.read_text().replace("Pay with a gift card only", "Use a gift card only for"))

    found = explain(page, line_with(page, "Use a gift card only for"))

    assert found.state == "hand_edited"
    assert found.generated is not None and "Pay with a gift card" in found.generated


def test_without_its_lineage_file_the_store_answers(room: Room, tmp_path: Path) -> None:
    copy = tmp_path / SKILL
    shutil.copytree(room.skill(SKILL), copy)
    (copy / LINEAGE_FILE).unlink()
    page = copy / "SKILL.md"

    found = explain(page, line_with(page, "do not add up"), store=room.store)

    assert found.rule_id is not None
    assert len(found.evidence) == 19


def test_a_place_that_is_no_skill_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x\n")

    with pytest.raises(SkillInvalid, match="not a file of a skill"):
        explain(tmp_path / "notes.md", 1)
    with pytest.raises(SkillInvalid, match="does not exist"):
        explain(tmp_path / "nothing.md", 1)


def test_a_line_that_is_not_there_is_refused(room: Room) -> None:
    with pytest.raises(SkillInvalid, match="no line 9999"):
        explain(room.skill(SKILL), 9999)


def test_the_answer_survives_a_round_trip_through_json(room: Room) -> None:
    found = explain(room.skill(SKILL), 17)

    assert Explanation.model_validate_json(found.model_dump_json()) == found
