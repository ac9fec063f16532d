"""What is a heading, a section, an item and a block, as a Markdown parser sees them."""

from __future__ import annotations

import pytest

from t2s_pipeline.skills.document import Document, plain_text, split_lines
from t2s_pipeline.skills.frontmatter import read_frontmatter, set_keys

TEXT = """---
name: x
---
# Title

Setext one
==========

```bash
# a comment
```

<div>
## in HTML
</div>

> # quoted

## Tools ##

- one
  - nested

    # code? no: indented text

- two

| a | b |
|---|---|
| # | c |

## Tools

    # indented code
"""


def titles(text: str) -> list[str]:
    return [section.title for section in Document.parse(text).sections]


def test_only_real_headings_are_headings() -> None:
    assert titles(TEXT) == ["Title", "Setext one", "Tools", "Tools"]


def test_the_frontmatter_is_no_heading_and_no_rule() -> None:
    document = Document.parse(TEXT)

    assert document.frontmatter == (0, 3)
    assert document.blocks[0].kind == "heading" and document.blocks[0].first == 3


@pytest.mark.parametrize("text", ["---\nname: x\n", "\n---\nname: x\n---\n", "----\nx\n---\n", ""])
def test_what_is_not_closed_or_not_first_is_no_frontmatter(text: str) -> None:
    assert Document.parse(text).frontmatter is None


def test_a_section_knows_its_path_its_own_text_and_its_end() -> None:
    document = Document.parse("# A\n\n## B\n\ntext\n\n### C\n\nmore\n\n## D\n")

    section = document.sections[1]
    assert section.path == ("A", "B")
    assert (section.first, section.body, section.own_end, section.end) == (2, 3, 6, 10)
    assert document.text_end(section) == 5


def test_an_underlined_heading_takes_two_lines() -> None:
    section = Document.parse("Head\n====\n\ntext\n").sections[0]

    assert (section.first, section.body) == (0, 2)


def test_items_carry_marker_depth_and_place() -> None:
    items = Document.parse("* a\n  - b\n\n1. c\n").items

    assert [(item.marker, item.depth, item.ordered, item.first, item.end) for item in items] == [
        ("*", 1, False, 0, 2),
        ("-", 2, False, 1, 2),
        (".", 1, True, 3, 4),
    ]


def test_the_block_of_a_line_is_its_innermost_item_or_its_block() -> None:
    document = Document.parse("- a\n  - b\n\n```\nx\n```\n")

    assert document.block_of(1) == (1, 2)
    assert document.block_of(4) == (3, 6)
    assert document.block_of(2) is None


def test_lines_are_split_where_markdown_splits_them_and_nowhere_else() -> None:
    assert split_lines("a\r\nb\rc\n\x0bd\u2028e\x85f") == ("a\r\n", "b\r", "c\n", "\x0bd\u2028e\x85f")


def test_bytes_that_are_not_utf8_and_a_byte_order_mark_are_kept() -> None:
    data = b"\xef\xbb\xbf# T\r\n\xff\xfe"

    assert Document.parse(data).to_bytes() == data
    assert titles("\ufeff# T\n") == ["T"]


def test_links_and_images_are_found_with_their_line() -> None:
    document = Document.parse("# [a](x.md)\n\n![i](y.png)\n\n```\n[no](z.md)\n```\n\n[r]\n\n[r]: w.md\n")

    assert list(document.links()) == [(0, "x.md"), (2, "y.png"), (8, "w.md")]


def test_plain_text_leaves_out_markers_and_targets() -> None:
    assert plain_text("**a** `b_c` [d](e) <br> &amp;") == "a b_c d &"


def test_one_key_is_replaced_and_the_rest_of_the_block_stays() -> None:
    text = "---\nname: 'x'   # mine\n# about\ndescription: >-\n  folded\n  text\n\nlicense: MIT\n---\n# T\n"

    changed = set_keys(Document.parse(text), {"description": "New: one", "metadata": {"a": "1"}})

    assert changed.text == (
        "---\nname: 'x'   # mine\n# about\ndescription: 'New: one'\n\nlicense: MIT\n"
        'metadata:\n  a: "1"\n---\n# T\n'
    )


def test_a_mapping_is_added_to_and_keeps_its_comments() -> None:
    text = "---\nmetadata:\n  team: desk # us\n  tags: {a: 1}\n---\n"

    changed = set_keys(Document.parse(text), {"metadata": {"runs": "3"}})

    assert "  team: desk # us\n" in changed.text
    assert read_frontmatter(changed)["metadata"]["runs"] == "3"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_block_that_was_not_there_is_put_first_with_the_document_s_line_endings(ending: str) -> None:
    changed = set_keys(Document.parse(f"# T{ending}x{ending}"), {"name": "n"})

    assert changed.text == ending.join(["---", "name: n", "---", "", "# T", "x", ""])
