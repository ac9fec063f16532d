"""Edits that do not fit are refused before anything changes, with the reason."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from t2s_pipeline.errors import EditRefused
from t2s_pipeline.skills.edits import (
    AddSection,
    AppendToSection,
    CreateReference,
    DeleteReference,
    DeleteSection,
    Edit,
    HeadingAnchor,
    InsertAfter,
    InsertBefore,
    LineAnchor,
    Patch,
    Replace,
    SetDescription,
)
from t2s_pipeline.skills.patching import apply_patch
from t2s_pipeline.skills.tree import SKILL_FILE, FileBody, content_hash

PAGE = """---
name: x
description: y
---
# Title

Intro.

## Tools

- one
- two

```
# code
```

## Errors

| a |
|---|
| b |

See [more](references/more.md).
"""
TREE = {
    SKILL_FILE: FileBody(PAGE.encode()),
    "references/more.md": FileBody(b"# More\n"),
    "scripts/x.sh": FileBody(b"#\n", executable=True),
}


def applied(*edits: Edit, tree: dict[str, FileBody] = TREE) -> dict[str, FileBody]:
    return apply_patch(tree, Patch(base_hash=content_hash(tree), edits=edits))


def page(*edits: Edit) -> str:
    return applied(*edits)[SKILL_FILE].data.decode()


def at(*titles: str) -> HeadingAnchor:
    return HeadingAnchor(heading=titles)


def on(line: str) -> LineAnchor:
    return LineAnchor(line=line)


def test_an_item_joins_the_list_it_is_inserted_into() -> None:
    assert "- one\n- new\n- two\n" in page(InsertAfter(anchor=on("- one"), text="- new"))
    assert "- new\n- one\n" in page(InsertBefore(anchor=on("- one"), text="- new"))


def test_text_after_a_line_of_code_goes_after_the_block() -> None:
    assert "```\n# code\n```\n\nnew\n\n## Errors" in page(InsertAfter(anchor=on("# code"), text="new"))


def test_text_is_appended_before_the_first_sub_heading() -> None:
    assert "Intro.\n\nnew\n\n## Tools" in page(AppendToSection(anchor=at("Title"), text="new"))


def test_a_section_is_added_last_in_its_parent_or_in_the_document() -> None:
    assert page(AddSection(title="New", text="text")).endswith("more.md).\n\n## New\n\ntext\n")
    added = page(AddSection(parent=at("Tools"), title="Sub", level=3, text="text"))
    assert "```\n\n### Sub\n\ntext\n\n## Errors" in added


def test_lines_are_replaced_and_sections_deleted() -> None:
    assert "- 1\n- two" in page(Replace(anchor=on("- one"), text="- 1"))
    assert "## Tools\n\n- all\n\n```" in page(Replace(anchor=on("- one"), last=on("- two"), text="- all"))
    assert "Tools" not in page(DeleteSection(anchor=at("Tools")))


def test_several_insertions_at_one_place_come_in_the_order_given() -> None:
    text = page(
        InsertAfter(anchor=on("- two"), text="- three"), InsertAfter(anchor=on("- two"), text="- four")
    )

    assert "- two\n- three\n- four\n" in text


def test_a_missing_final_newline_stays_missing() -> None:
    tree = {SKILL_FILE: FileBody(b"# T\r\n\r\n- a")}

    result = applied(AppendToSection(anchor=at("T"), text="- b"), tree=tree)

    assert result[SKILL_FILE].data == b"# T\r\n\r\n- a\r\n- b"


def test_a_reference_comes_with_its_link_and_goes_with_it() -> None:
    link = AppendToSection(anchor=at("Tools"), text="Read [new](references/new.md) when lost.")

    created = applied(CreateReference(path="references/new.md", text="# New", link=link))
    deleted = applied(DeleteReference(path="references/more.md"))

    assert created["references/new.md"].data == b"# New\n"
    assert b"references/new.md" in created[SKILL_FILE].data
    assert "references/more.md" not in deleted
    assert b"more" not in deleted[SKILL_FILE].data


def test_other_files_and_their_modes_are_untouched() -> None:
    result = applied(SetDescription(text="New"))

    assert result["scripts/x.sh"] == TREE["scripts/x.sh"]
    assert b"description: New\n" in result[SKILL_FILE].data


LINK = AppendToSection(anchor=at("Tools"), text="[r](references/r.md)")
REFUSALS: list[tuple[str, list[Edit]]] = [
    ("no section 'Nowhere'", [AppendToSection(anchor=at("Nowhere"), text="x")]),
    ("no line reads", [InsertAfter(anchor=on("gone"), text="x")]),
    ("touch the same line", [Replace(anchor=on("- one"), text="a"), Replace(anchor=on("- one"), text="b")]),
    (
        "touch the same line",
        [DeleteSection(anchor=at("Tools")), AppendToSection(anchor=at("Tools"), text="x")],
    ),
    ("touch the same line", [DeleteSection(anchor=at("Tools")), InsertAfter(anchor=on("- one"), text="x")]),
    ("touch the same line", [DeleteSection(anchor=at("Title")), DeleteSection(anchor=at("Tools"))]),
    ("would change how line", [AppendToSection(anchor=at("Tools"), text="```\nnever closed")]),
    ("would change how line", [AppendToSection(anchor=at("Tools"), text="<!-- never closed")]),
    ("without a link", [CreateReference(path="references/r.md", text="x")]),
    ("without a link", [CreateReference(path="references/q.md", text="x", link=LINK)]),
    ("exists already", [CreateReference(path="references/more.md", text="x", link=LINK)]),
    ("references/<name>.md", [CreateReference(path="references/a/b.md", text="x", link=LINK)]),
    ("references/<name>.md", [CreateReference(path="other.md", text="x", link=LINK)]),
    ("not a path in the skill", [CreateReference(path="references/../../x.md", text="x", link=LINK)]),
    ("not a path in the skill", [InsertAfter(path="../SKILL.md", anchor=on("- one"), text="x")]),
    ("not a path in the skill", [InsertAfter(path="/etc/passwd", anchor=on("- one"), text="x")]),
    ("no Markdown file", [InsertAfter(path="scripts/x.sh", anchor=on("#"), text="x")]),
    ("no Markdown file", [InsertAfter(path="references/none.md", anchor=on("#"), text="x")]),
    ("broken link", [AppendToSection(anchor=at("Tools"), text="[x](references/none.md)")]),
    ("broken link", [AppendToSection(anchor=at("Tools"), text="[x](../other/SKILL.md)")]),
    ("no reference", [DeleteReference(path="references/none.md")]),
    ("more than once", [SetDescription(text="a"), SetDescription(text="b")]),
    ("ends the frontmatter early", [SetDescription(text="a --- b")]),
    ("does not fit below", [AddSection(parent=at("Tools"), title="x", level=2)]),
    ("comes before the first", [Replace(anchor=on("- two"), last=on("- one"), text="x")]),
]


@pytest.mark.parametrize(("reason", "edits"), REFUSALS)
def test_an_edit_that_does_not_fit_is_refused(reason: str, edits: list[Edit]) -> None:
    before = dict(TREE)

    with pytest.raises(EditRefused, match=reason):
        applied(*edits)

    assert before == TREE


def test_an_anchor_that_is_there_twice_is_refused_with_the_places() -> None:
    tree = {SKILL_FILE: FileBody(b"# T\n\n## A\n\nx\n\n## A\n\nx\n")}

    with pytest.raises(EditRefused, match=r"2 times \(lines 3, 7\)"):
        applied(AppendToSection(anchor=at("A"), text="y"), tree=tree)
    with pytest.raises(EditRefused, match="2 lines read 'x'"):
        applied(InsertAfter(anchor=on("x"), text="y"), tree=tree)


def test_a_heading_path_tells_sections_of_one_name_apart() -> None:
    tree = {SKILL_FILE: FileBody(b"# T\n\n## A\n\n### C\n\nx\n\n## B\n\n### C\n\ny\n")}

    result = applied(AppendToSection(anchor=at("B", "C"), text="new"), tree=tree)

    assert result[SKILL_FILE].data.endswith(b"y\n\nnew\n")


def test_a_link_among_other_links_is_not_deleted_with_its_reference() -> None:
    tree = {
        **TREE,
        SKILL_FILE: FileBody(PAGE.replace("See [more]", "See [w](https://w.example), [more]").encode()),
    }

    with pytest.raises(EditRefused, match="and to other places"):
        applied(DeleteReference(path="references/more.md"), tree=tree)


def test_a_patch_for_another_state_is_refused() -> None:
    with pytest.raises(EditRefused, match="was made for content"):
        apply_patch(TREE, Patch(base_hash="0" * 12, edits=()))


@pytest.mark.parametrize(
    "body",
    [
        {"op": "insert_after", "anchor": {"line": ""}, "text": "x"},
        {"op": "insert_after", "anchor": {"heading": []}, "text": "x"},
        {"op": "insert_after", "anchor": {"heading": [" "]}, "text": "x"},
        {"op": "insert_after", "anchor": {"line": "a"}, "text": "  \n"},
        {"op": "add_section", "title": "a\nb"},
        {"op": "rewrite_everything", "text": "x"},
    ],
)
def test_an_empty_anchor_or_an_unknown_edit_is_no_edit(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[Edit](Edit).validate_python(body)


def test_a_patch_survives_a_round_trip_through_json() -> None:
    patch = Patch(
        base_hash=content_hash(TREE),
        edits=(CreateReference(path="references/r.md", text="x", link=LINK), SetDescription(text="d")),
    )

    assert Patch.model_validate_json(patch.model_dump_json()) == patch
