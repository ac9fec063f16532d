"""A Markdown document as lines plus the parser's source map.

Structure is what a CommonMark parser sees: a `#` inside a code fence, an HTML block or a quotation is
not a heading. Bytes are kept as they are; `to_bytes` of a parsed document is its input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

BlockKind = Literal["heading", "paragraph", "list", "quote", "code", "html", "table", "rule", "other"]

_BOM = "\ufeff"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "blockquote_open": "quote",
    "fence": "code",
    "code_block": "code",
    "html_block": "html",
    "table_open": "table",
    "hr": "rule",
}
_LEAVES = frozenset(
    {"heading_open", "paragraph_open", "fence", "code_block", "html_block", "table_open", "hr"}
)


@dataclass(frozen=True)
class Block:
    """A top-level block; lines are 0-based and half-open, blank lines after it not included."""

    kind: BlockKind
    first: int
    end: int


@dataclass(frozen=True)
class ListItem:
    """An item of a top-level or nested list; `marker` is `-`, `*`, `+` or the ordered delimiter."""

    first: int
    end: int
    marker: str
    depth: int
    ordered: bool


@dataclass(frozen=True)
class Section:
    """A heading and what belongs to it, up to the next heading of the same or a higher level."""

    title: str
    level: int
    path: tuple[str, ...]
    """Titles from the outermost heading down to this one."""
    first: int
    """Line of the heading (its first line when underlined)."""
    body: int
    """First line after the heading."""
    own_end: int
    """End of the section's own text: the first sub-heading, or the end of the section."""
    end: int


@dataclass(frozen=True)
class Leaf:
    """A block without blocks inside: what must be the same outside an edit."""

    kind: str
    first: int
    end: int
    depth: int


def split_lines(text: str) -> tuple[str, ...]:
    """Lines with their endings, split where Markdown splits: CR LF, CR, LF and nothing else."""
    return tuple(_LINE.findall(text))


def without_ending(line: str) -> str:
    """The line without its line ending."""
    return line.rstrip("\r\n")


@cache
def markdown_parser() -> MarkdownIt:
    """CommonMark with tables: the structure every client of a skill agrees on."""
    return MarkdownIt("commonmark").enable("table")


@cache
def _structure_parser() -> MarkdownIt:
    """The same for blocks only: half the work where no words are looked at."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable("inline")
    return parser


class Document:
    """One Markdown file. Immutable; every question about structure is answered by line numbers."""

    def __init__(self, lines: Sequence[str], bom: str = "") -> None:
        self.lines = tuple(lines)
        self.bom = bom
        """The byte order mark, if the file starts with one: part of no line."""

    @classmethod
    def parse(cls, data: bytes | str) -> Document:
        """A document of these bytes; bytes that are not UTF-8 are kept as they are."""
        text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
        bom = _BOM if text.startswith(_BOM) else ""
        return cls(split_lines(text[len(bom) :]), bom)

    def with_lines(self, lines: Sequence[str]) -> Document:
        """The same file with other lines."""
        return Document(lines, self.bom)

    @property
    def text(self) -> str:
        return self.bom + "".join(self.lines)

    def to_bytes(self) -> bytes:
        """The bytes of the document, with nothing normalised."""
        return self.text.encode("utf-8", "surrogateescape")

    @cached_property
    def newline(self) -> str:
        """The line ending most lines have; LF when there is none."""
        counts = {"\r\n": 0, "\n": 0, "\r": 0}
        for line in self.lines:
            ending = line[len(without_ending(line)) :]
            if ending in counts:
                counts[ending] += 1
        best = max(counts, key=lambda ending: counts[ending])
        return best if counts[best] else "\n"

    @cached_property
    def frontmatter(self) -> tuple[int, int] | None:
        """Lines of the YAML block at the start, both `---` lines included; None without one."""
        if not self.lines or without_ending(self.lines[0]).rstrip() != "---":
            return None
        for number, line in enumerate(self.lines[1:], start=1):
            if without_ending(line).rstrip() == "---":
                return 0, number + 1
        return None

    @property
    def body_start(self) -> int:
        """First line after the frontmatter."""
        return self.frontmatter[1] if self.frontmatter else 0

    @property
    def _masked(self) -> str:
        """The text as the parser gets it: the lines of the frontmatter empty."""
        body = (without_ending(line) for line in self.lines[self.body_start :])
        return "\n".join([*[""] * self.body_start, *body])

    @cached_property
    def _tokens(self) -> list[Token]:
        return _structure_parser().parse(self._masked)

    def _trimmed(self, first: int, end: int) -> int:
        while end > first and not self.lines[end - 1].strip():
            end -= 1
        return end

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Top-level blocks in order."""
        found = []
        for token in self._tokens:
            if token.level == 0 and token.map is not None and token.nesting >= 0:
                first, end = token.map[0], min(token.map[1], len(self.lines))
                found.append(Block(_KINDS.get(token.type, "other"), first, self._trimmed(first, end)))
        return tuple(found)

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Blocks that contain no blocks, at any depth, in order."""
        return tuple(
            Leaf(
                token.type + token.tag,
                token.map[0],
                self._trimmed(token.map[0], min(token.map[1], len(self.lines))),
                token.level,
            )
            for token in self._tokens
            if token.type in _LEAVES and token.map is not None
        )

    @cached_property
    def items(self) -> tuple[ListItem, ...]:
        """List items that are not inside a quotation, outermost first."""
        found, depth, quoted, ordered = [], 0, 0, [False]
        for token in self._tokens:
            if token.type in ("bullet_list_open", "ordered_list_open"):
                depth += 1
                ordered.append(token.type == "ordered_list_open")
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                depth -= 1
                ordered.pop()
            elif token.type == "blockquote_open":
                quoted += 1
            elif token.type == "blockquote_close":
                quoted -= 1
            elif token.type == "list_item_open" and token.map is not None and not quoted:
                first, end = token.map[0], min(token.map[1], len(self.lines))
                found.append(ListItem(first, self._trimmed(first, end), token.markup, depth, ordered[-1]))
        return tuple(found)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Sections in document order; headings inside lists and quotations open none."""
        heads: list[tuple[int, str, int, int]] = []
        for token, inline in zip(self._tokens, self._tokens[1:], strict=False):
            if token.type == "heading_open" and token.level == 0 and token.map is not None:
                heads.append((int(token.tag[1:]), inline.content.strip(), token.map[0], token.map[1]))
        found, path = [], list[tuple[int, str]]()
        for number, (level, title, first, body) in enumerate(heads):
            path = [part for part in path if part[0] < level] + [(level, title)]
            later = heads[number + 1 :]
            end = next((head[2] for head in later if head[0] <= level), len(self.lines))
            own_end = later[0][2] if later else len(self.lines)
            found.append(Section(title, level, tuple(part[1] for part in path), first, body, own_end, end))
        return tuple(found)

    def links(self) -> Iterator[tuple[int, str]]:
        """(first line of the block, target) of every link and image, in order."""
        for token in markdown_parser().parse(self._masked):
            if token.type == "inline" and token.map is not None:
                for child in _descendants(token):
                    target = child.attrGet("href") if child.type == "link_open" else None
                    target = child.attrGet("src") if child.type == "image" else target
                    if target:
                        yield token.map[0], str(target)

    def block_of(self, line: int) -> tuple[int, int] | None:
        """The innermost list item, else the top-level block, that `line` lies in; None for none."""
        holding = [item for item in self.items if item.first <= line < item.end]
        if holding:
            return holding[-1].first, holding[-1].end
        for block in self.blocks:
            if block.first <= line < block.end:
                return block.first, block.end
        return None

    def text_end(self, section: Section) -> int:
        """End of the section's own text with blank lines after it left out."""
        return max(section.body, self._trimmed(section.body, section.own_end))


def _descendants(token: Token) -> Iterator[Token]:
    for child in token.children or ():
        yield child
        yield from _descendants(child)


def plain_text(markdown: str) -> str:
    """What a reader sees of one line of inline Markdown: markers, targets and tags left out."""
    parts: list[str] = []
    for token in markdown_parser().parseInline(markdown):
        for child in _descendants(token):
            if child.type in ("text", "code_inline"):
                parts.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                parts.append(" ")
    return " ".join("".join(parts).split())


def resolve_link(path: str, target: str) -> str | None:
    """The file a relative link in `path` points to; None for links to elsewhere or within the page.

    A link that climbs out of the directory resolves to a path that starts with `..`.
    """
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path:
        return None
    steps: list[str] = [] if parts.path.startswith("/") else list(PurePosixPath(path).parent.parts)
    for step in unquote(parts.path).split("/"):
        if step == ".." and steps and steps[-1] != "..":
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps) or "."
