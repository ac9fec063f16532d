"""Markdown documents and patches for property tests: every construct that has ever misled an editor."""

from __future__ import annotations

from hypothesis import strategies as st

from t2s_pipeline.skills.document import Document, without_ending
from t2s_pipeline.skills.edits import (
    AddSection,
    Anchor,
    AppendToSection,
    DeleteSection,
    Edit,
    HeadingAnchor,
    InsertAfter,
    InsertBefore,
    LineAnchor,
    Patch,
    Replace,
)
from t2s_pipeline.skills.tree import SKILL_FILE, FileBody, content_hash

WORDS = st.sampled_from(
    "alpha beta gamma query 表格 запрос naïve `code` **bold** a_b c*d 1. x|y <b> &amp; \\# [l](u.md)".split()
)
TITLES = st.sampled_from(
    ["Setup", "How to work", "Tools", "Tools", "Überblick", "手順", "C#", "Errors & fixes"]
)
SENTENCES = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)

ATX = st.builds(lambda level, title: f"{'#' * level} {title}", st.integers(1, 4), TITLES)
SETEXT = st.builds(lambda title, mark: f"{title}\n{mark * 4}", TITLES, st.sampled_from("=-"))
PARAGRAPH = st.lists(SENTENCES, min_size=1, max_size=3).map("\n".join)
FENCE = st.builds(
    lambda mark, inside: f"{mark}\n# not a heading\n{inside}\n\n- not an item\n{mark}",
    st.sampled_from(["```", "~~~", "````"]),
    SENTENCES,
)
HTML = st.sampled_from(
    ["<div>\n# no heading\n</div>", "<!-- # no\n\n## heading -->", "<details>\n\ntext\n\n</details>"]
)
TABLE = st.just("| a | b |\n|---|---|\n| 1 | # 2 |")
LIST = st.lists(SENTENCES, min_size=1, max_size=4).flatmap(
    lambda items: st.sampled_from(["- ", "* ", "1. ", "- [ ] "]).map(
        lambda mark: "\n".join(f"{mark}{item}" for item in items)
    )
)
NESTED = st.just("- outer\n  - inner\n\n    continued\n\n    ```\n    # code in item\n    ```\n- last")
QUOTE = st.just("> # quoted heading\n> text\n>\n> - item")
INDENTED = st.just("    # indented code\n    more")
OTHER = st.sampled_from(["---", "***", "[ref]: references/x.md", "$$\n# math\n$$"])
BLOCK = st.one_of(ATX, ATX, SETEXT, PARAGRAPH, FENCE, HTML, TABLE, LIST, NESTED, QUOTE, INDENTED, OTHER)
UNCLOSED = st.sampled_from(
    ["```\n# swallowed", "<!-- open", "<script>", "    code", "text\n---", "# New", "- item\n\n  deep"]
)

FRONTMATTER = st.sampled_from(["", "---\nname: x\ndescription: a # b\n---\n", "---\nname: x\n---\n\n"])


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A document as bytes: mixed blocks, line endings, with or without frontmatter, BOM and final newline."""
    blocks = draw(st.lists(BLOCK, min_size=1, max_size=9))
    if draw(st.integers(0, 9)) == 0:
        blocks.append(draw(UNCLOSED))
    text = blocks[0]
    for block in blocks[1:]:
        text += draw(st.sampled_from(["\n\n", "\n\n", "\n\n", "\n", "\n\n\n", "\n  \n"])) + block
    text = draw(FRONTMATTER) + text + draw(st.sampled_from(["", "\n", "\n", "\n\n"]))
    if draw(st.integers(0, 3)) == 0:
        text = text.replace("\n", "\r\n")
    if draw(st.integers(0, 9)) == 0:
        text = "\ufeff" + text
    data = text.encode()
    return data + b"\xff\xfe" if draw(st.integers(0, 19)) == 0 else data


TEXTS = st.one_of(
    st.lists(SENTENCES, min_size=1, max_size=3).map(lambda items: "\n".join(f"- {item}" for item in items)),
    PARAGRAPH,
    FENCE,
    TABLE,
    ATX.map(lambda heading: f"{heading}\n\ntext"),
    UNCLOSED,
)


def is_text(line: str) -> bool:
    """Whether an anchor can name the line: it has letters and every byte of it was UTF-8."""
    return bool(line.strip()) and all(not "\ud800" <= char <= "\udfff" for char in line)


@st.composite
def edits_of(draw: st.DrawFn, document: Document) -> Edit:
    """An edit whose anchor is taken from the document, so that most are not refused."""
    lines = [without_ending(line) for line in document.lines[document.body_start :]]
    wanted = [line for line in lines if line.strip() and lines.count(line) == 1 and is_text(line)]
    titles = [section.path for section in document.sections if all(map(is_text, section.path))]
    heading = HeadingAnchor(heading=draw(st.sampled_from(titles))) if titles else None
    line = LineAnchor(line=draw(st.sampled_from(wanted))) if wanted else None
    text = draw(TEXTS)
    choices: list[Edit] = [AddSection(title=draw(TITLES), text=text, level=2)]
    anchors: list[Anchor] = [anchor for anchor in (heading, line) if anchor is not None]
    for anchor in anchors:
        choices += [InsertAfter(anchor=anchor, text=text), InsertBefore(anchor=anchor, text=text)]
    if heading is not None:
        choices += [AppendToSection(anchor=heading, text=text), DeleteSection(anchor=heading)]
        choices.append(
            AddSection(parent=heading, title=draw(TITLES), level=draw(st.integers(2, 5)), text=text)
        )
    if line is not None:
        choices.append(Replace(anchor=line, text=text))
    return draw(st.sampled_from(choices))


@st.composite
def documents_and_patches(draw: st.DrawFn) -> tuple[dict[str, FileBody], Patch]:
    """A directory with one SKILL.md and a patch of one to three edits for it."""
    tree = {SKILL_FILE: FileBody(draw(documents()))}
    document = Document.parse(tree[SKILL_FILE].data)
    edits = [draw(edits_of(document)) for _ in range(draw(st.integers(1, 3)))]
    return tree, Patch(base_hash=content_hash(tree), edits=tuple(edits))
