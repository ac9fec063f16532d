"""Created skills: valid whatever the words, and written the way a colleague would read them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.skills.assembly import seal
from t2s_pipeline.skills.document import Document, markdown_parser, without_ending
from t2s_pipeline.skills.rules import SECTION_TITLES, make_rules
from t2s_pipeline.skills.spec import MAX_OWN_DESCRIPTION, check_skill_tree
from t2s_pipeline.skills.tree import SKILL_FILE
from t2s_pipeline.skills.writer import create_skill, describe
from t2s_pipeline_tests.skills.builders import airline, cluster, coding, learnt, sql
from t2s_pipeline_tests.skills.hostile import hostile_clusters

CALM = [HealthCheck.too_slow, HealthCheck.data_too_large]
OUR_TITLES = {*SECTION_TITLES.values(), "Any skill", "Rarer cases", "Contents", "General"}


def page(skill: str, clusters: list[Cluster]) -> str:
    return create_skill(learnt(skill, clusters)).files[SKILL_FILE].data.decode()


def check_created(clusters: list[Cluster]) -> None:
    """The skill is valid, and the words of its rules open no heading, link, tag or block in it."""
    known = learnt("any-skill", clusters)
    generated = create_skill(known)
    sealed = seal(known, generated)
    assert check_skill_tree("any-skill", sealed.files) == []
    for path, body in generated.files.items():
        document = Document.parse(body.data)
        for section in document.sections:
            assert section.title.startswith("`") or section.title.removesuffix(": rarer cases") in OUR_TITLES
        assert {block.kind for block in document.blocks} <= {"heading", "paragraph", "list"}
        assert all(target.startswith("references/") for _, target in document.links())
        items = {without_ending(document.lines[item.first]) for item in document.items}
        assert {rule.text for rule in generated.written if rule.path == path} <= items
        assert all(item.end == item.first + 1 for item in document.items)
        text = "".join(document.lines[document.body_start :])
        kinds = {child.type for token in markdown_parser().parse(text) for child in token.children or ()}
        assert not kinds & {"html_inline", "image"}
        assert "!`" not in document.text


@settings(max_examples=40, deadline=None, suppress_health_check=CALM)
@given(hostile_clusters())
def test_a_created_skill_is_always_valid_and_harmless(clusters: list[Cluster]) -> None:
    check_created(clusters)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=CALM)
@given(hostile_clusters())
def test_hundreds_of_created_skills_are_valid_and_harmless(clusters: list[Cluster]) -> None:
    check_created(clusters)


@settings(max_examples=25, deadline=None, suppress_health_check=CALM)
@given(hostile_clusters(), st.randoms(use_true_random=False))
def test_the_order_of_the_clusters_does_not_matter(clusters: list[Cluster], random: Random) -> None:
    shuffled = list(clusters)
    random.shuffle(shuffled)

    one, other = learnt("any-skill", clusters), learnt("any-skill", shuffled)

    assert seal(one, create_skill(one)).files == seal(other, create_skill(other)).files


def test_sections_come_in_the_order_of_work() -> None:
    titles = [section.title for section in Document.parse(page("airline-service-desk", airline())).sections]

    assert [title for title in titles if title in SECTION_TITLES.values()] == list(SECTION_TITLES.values())
    assert titles[0] == "Airline service desk"


def test_a_rule_says_how_much_stands_behind_it() -> None:
    text = page("airline-service-desk", airline())

    assert "to exactly that. *(24 refusals in 6 tasks)*" in text
    assert "*(58% success when followed, 41% when not, same tasks, 14 comparisons)*" in text


def test_two_rules_about_one_tool_stand_below_its_name_and_one_does_not() -> None:
    titles = {section.title for section in Document.parse(page("airline-service-desk", airline())).sections}

    assert {"`book_reservation`", "`update_reservation_flights`"} <= titles
    assert "`cancel_reservation`" not in titles


def test_the_best_supported_rule_comes_first() -> None:
    text = page("airline-service-desk", airline())

    assert text.index("do not add up") < text.index("Pay with a gift card")


def test_a_candidate_is_not_written() -> None:
    assert "Say please" not in page("airline-service-desk", airline())


def test_the_text_carries_no_ids() -> None:
    for skill, clusters in (
        ("airline-service-desk", airline()),
        ("sql-analytics", sql()),
        ("repo-repair", coding()),
    ):
        text = page(skill, clusters)
        assert not any(part.startswith(("r-", "c-", "l-", "t-")) for part in text.replace("(", " ").split())


def test_the_description_says_when_to_open_the_skill() -> None:
    text = page("airline-service-desk", airline())

    description = next(line for line in text.splitlines() if line.startswith("description:"))
    assert "book_reservation" in description
    assert "Use before" in description
    assert len(description) < MAX_OWN_DESCRIPTION + 20


def test_the_description_names_the_tools_that_most_runs_used() -> None:
    rules = [cluster("Quote names", tool="sql")]

    text = describe(
        "order-desk",
        make_rules(learnt("order-desk", rules)).rules,
        used=(("run_query", "sql"), ("submit", "other"), ("list_tables", "other")),
    )

    assert text.startswith("Order desk: tasks that use run_query or list_tables. ")


def test_a_skill_without_rules_names_no_tools() -> None:
    assert "list_tables" not in describe("order-desk", (), used=(("list_tables", "other"),))


def test_points_of_the_description_hold_no_semicolon() -> None:
    rules = make_rules(learnt("x", [cluster("Take names from the list; do not guess them")])).rules

    assert describe("order-desk", rules).endswith("Main rules: take names from the list.")


def test_the_description_cuts_no_message_in_the_middle() -> None:
    long = "When `submit` answers “ValidationError: value must be a number without unit, currency or point”"

    text = page("sql-analytics", [cluster(f"{long}, give `value` the way it asks"), cluster("Look first")])

    description = next(line for line in text.splitlines() if line.startswith("description:"))
    assert "ValidationError" not in description
    assert "look first" in description


def test_more_rules_than_a_page_holds_go_to_a_linked_reference() -> None:
    rules = [
        cluster(
            f"Rule number {number} about things",
            "A detail. " * 20,
            tool=f"tool_{number % 7}",
            tasks=100 - number,
        )
        for number in range(90)
    ]
    known = learnt("airline-service-desk", rules)

    sealed = seal(known, create_skill(known))

    text = sealed.files[SKILL_FILE].data.decode()
    assert check_skill_tree("airline-service-desk", sealed.files) == []
    assert "Read [references/tools.md](references/tools.md) when" in text
    assert "Rule number 0 about" in text
    assert "Rule number 89 about" in sealed.files["references/tools.md"].data.decode()
    assert len(sealed.lineage.rules) == 90


def test_a_long_reference_has_a_table_of_contents() -> None:
    rules = [cluster(f"Rule {number} of many", tool=f"tool {number % 40}", tasks=3) for number in range(400)]

    generated = create_skill(learnt("airline-service-desk", rules))

    reference = Document.parse(generated.files["references/tools.md"].data)
    assert len(reference.lines) > 300
    assert [section.title for section in reference.sections][1] == "Contents"


def test_nothing_learnt_yet_is_said_and_still_valid() -> None:
    known = learnt("any-skill", [])

    sealed = seal(known, create_skill(known))

    assert check_skill_tree("any-skill", sealed.files) == []
    assert "nothing in them has enough support" in sealed.files[SKILL_FILE].data.decode()
