"""Deepening a person's skill: rules join what is there, and what is there stays as it was."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import HealthCheck, assume, given, settings

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.assembly import seal
from t2s_pipeline.skills.deepen import LEARNT_TITLE, deepen_skill
from t2s_pipeline.skills.document import Document, split_lines
from t2s_pipeline.skills.spec import check_skill_tree
from t2s_pipeline.skills.tree import SKILL_FILE, FileBody
from t2s_pipeline.skills.writer import Generated
from t2s_pipeline_tests.skills.builders import airline, cluster, learnt
from t2s_pipeline_tests.skills.hostile import hostile_clusters
from t2s_pipeline_tests.skills.markdown_strategies import documents

SKILL = "airline-service-desk"
BASE = """---
name: airline-service-desk
description: >-
  Serve airline customers. Use for any
  conversation about a reservation.
license: Apache-2.0 # ours
---
# Airline service desk

You help customers.

## Policies

* Be polite.
* After a refusal, change the argument the message names, and call again.

```python
# Total price
total = seats * fare
```

## Booking with `book_reservation`

| field | meaning |
|---|---|
| cabin | economy |

## Resources

See [fares](references/fares.md).
"""
FILES = {
    SKILL_FILE: FileBody(BASE.encode()),
    "references/fares.md": FileBody(b"# Fares\n"),
    "scripts/total.sh": FileBody(b"#!/bin/sh\n", executable=True),
    "assets/logo.png": FileBody(b"\x89PNG\x00\xff"),
}


def deepened(clusters: list[Cluster], base: str = BASE) -> Generated:
    return deepen_skill(learnt(SKILL, clusters), {**FILES, SKILL_FILE: FileBody(base.encode())})


def page(generated: Generated) -> str:
    return generated.files[SKILL_FILE].data.decode()


def removed_lines(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(split_lines(before), split_lines(after)) if line.startswith("- ")]


def test_what_a_person_wrote_stays_byte_for_byte() -> None:
    generated = deepened(airline())

    assert removed_lines(BASE, page(generated)) == []
    for path in FILES:
        if path != SKILL_FILE:
            assert generated.files[path] == FILES[path]


def test_a_rule_goes_to_the_section_that_names_its_tool() -> None:
    document = Document.parse(page(deepened(airline())))

    booking = next(section for section in document.sections if section.title.startswith("Booking"))
    own = "".join(document.lines[booking.body : booking.own_end])
    assert "do not add up to the total" in own


def test_rules_that_fit_nowhere_get_a_section_of_their_own() -> None:
    document = Document.parse(page(deepened(airline())))

    titles = [section.title for section in document.sections]
    assert titles[titles.index(LEARNT_TITLE) :] == [
        LEARNT_TITLE, "How to work", "What costs and does not help", "Rarer cases",
    ]  # fmt: skip


def test_bullets_follow_the_person_s_style() -> None:
    rules = [rule.text for rule in deepened(airline()).written if rule.state == "written"]

    assert rules and all(text.startswith("* **") for text in rules)


def test_a_rule_the_base_says_already_is_confirmed_and_not_repeated() -> None:
    generated = deepened(airline())

    confirmed = [rule for rule in generated.written if rule.state == "confirmed"]
    assert [rule.text for rule in confirmed] == [
        "* After a refusal, change the argument the message names, and call again."
    ]
    assert page(generated).count("After a refusal") == 1


@pytest.mark.parametrize(
    "line",
    [
        "Do not ask for the user id before the first booking of 2 seats.",
        "Ask for the user id after the first booking of 2 seats.",
        "Ask for the user id before the last booking of 2 seats.",
        "Ask for the user id before the first booking of 3 seats.",
        "Ask for the `user id` before the first booking of 2 seats.",
    ],
)
def test_nearly_the_same_words_that_say_something_else_are_not_taken_for_the_same(line: str) -> None:
    base = BASE.replace("* Be polite.", f"* {line}")

    generated = deepened([cluster("Ask for the user id before the first booking of 2 seats", tasks=4)], base)

    assert [rule.state for rule in generated.written] == ["written"]


def test_deepening_a_deepened_skill_with_the_same_rules_adds_nothing() -> None:
    once = deepened(airline())

    twice = deepen_skill(learnt(SKILL, airline()), once.files)

    assert {rule.state for rule in twice.written} == {"confirmed"}
    assert twice.files[SKILL_FILE] == once.files[SKILL_FILE]


def test_the_description_of_the_base_is_kept_and_an_empty_one_is_written() -> None:
    kept = deepened(airline())
    empty = deepened(airline(), '---\nname: airline-service-desk\ndescription: ""\n---\n# Desk\n')

    assert kept.description == "base" and "Serve airline customers. Use for any\n" in page(kept)
    assert empty.description == "generated" and "Use before the first call" in page(empty)


def test_a_base_without_frontmatter_gets_one() -> None:
    generated = deepened(airline(), "# Desk\r\n\r\nText.\r\n")

    sealed = seal(learnt(SKILL, airline()), generated)
    assert check_skill_tree(SKILL, {**sealed.files, "references/fares.md": FILES["references/fares.md"]}) == [
        "references/fares.md is not linked from SKILL.md, so nobody will read it."
    ]
    assert sealed.files[SKILL_FILE].data.count(b"\n") == sealed.files[SKILL_FILE].data.count(b"\r\n")


def test_rules_come_before_a_block_that_never_closes() -> None:
    generated = deepened(airline(), "---\nname: x\ndescription: y\n---\nUse:\n\n```\n# open\n")

    assert page(generated).index(LEARNT_TITLE) < page(generated).index("Use:")
    assert page(generated).endswith("Use:\n\n```\n# open\n")


def test_a_base_without_a_page_only_brings_its_files() -> None:
    generated = deepen_skill(learnt(SKILL, airline()), {"scripts/a.py": FileBody(b"1\n")})

    assert generated.files["scripts/a.py"].data == b"1\n"
    assert "# Airline service desk" in page(generated)


def test_a_reference_of_the_base_is_never_overwritten() -> None:
    base = BASE.replace("references/fares.md", "references/tools.md")
    files = {SKILL_FILE: FileBody(base.encode()), "references/tools.md": FileBody(b"# Mine\n")}

    generated = deepen_skill(learnt(SKILL, airline()), files)

    assert generated.files["references/tools.md"].data == b"# Mine\n"
    assert "references/learnt-tools.md" in generated.files


def test_a_base_that_is_not_utf8_is_refused_with_the_place() -> None:
    with pytest.raises(SkillInvalid, match="byte 4"):
        deepen_skill(learnt(SKILL, airline()), {SKILL_FILE: FileBody(b"# T\n\xff\n")})


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(documents(), hostile_clusters(SKILL))
def test_any_base_with_any_rules_loses_no_line_and_every_rule_has_one(
    data: bytes, clusters: list[Cluster]
) -> None:
    """Frontmatter aside: every line of the base is there in its order, every placed cluster has a rule."""
    assume(not data.endswith(b"\xff\xfe"))
    before = Document.parse(data)

    generated = deepen_skill(learnt(SKILL, clusters), {SKILL_FILE: FileBody(data)})

    after = Document.parse(generated.files[SKILL_FILE].data)
    lines = iter(line.rstrip("\r\n") for line in after.lines[after.body_start :])
    assert all(line.rstrip("\r\n") in lines for line in before.lines[before.body_start :])
    if not generated.problems:
        placed = {item.cluster_id for item in clusters if item.placement != "candidate"}
        assert {rule.cluster_id for rule in generated.written} == placed
