"""A rule text taken apart: what of it is code and what is prose, and how it reads once it is rendered.

Everything here takes time in proportion to the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt

from t2s_pipeline.traces.legible import legible

_OPENING = re.compile(r" {0,3}(`{3,}+|~{3,}+)(.*)")
_TICKS = re.compile(r"`++")
_MARKUP = re.compile(r"[`*\\\[\]<&!]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that Markdown may take away."""


def readings(text: str) -> tuple[str, ...]:
    """The text as it stands and as it reads; once where the two are equal. Blocks of code that begin and end
    on lines of their own read as they stand."""
    if _reads_as_it_stands(text):
        return (text,)
    blocks, prose = blocks_and_prose(text)
    read = _as_read(prose if all(block.closed for block in blocks) else text)
    return (text,) if read == text else (text, read)


def _reads_as_it_stands(text: str) -> bool:
    """Whether a look is enough: most rules have no Markdown but code in one line, and no imitated letters."""
    plain = text.replace("…", " ").replace("’", "'")
    if "```" in text or legible(plain) != plain:
        return False
    return _MARKUP.search(spans_and_prose(text)[1]) is None


def _as_read(text: str) -> str:
    """One line as a client shows it: no emphasis, no escapes, code as code, targets of links beside their
    words."""
    parts: list[str] = []
    for token in _markdown().parseInline(" ".join(legible(text).split())):
        for child in token.children or ():
            if child.type == "code_inline":
                parts.append(f"`{child.content}`")
            elif child.type in ("text", "html_inline"):
                parts.append(child.content)
            elif child.type in ("link_open", "image"):
                parts.append(f" {child.attrGet('href') or child.attrGet('src') or ''} {child.content}")
    return "".join(parts)


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark")


@dataclass(frozen=True)
class Block:
    """A block of code between two lines that mark it; without the second it goes on to the end."""

    language: str
    lines: Sequence[str]
    closed: bool


def blocks_and_prose(text: str) -> tuple[list[Block], str]:
    """The blocks of code of a text, and the text with an empty line for each."""
    blocks: list[Block] = []
    prose: list[str] = []
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        opening = _OPENING.fullmatch(lines[number])
        number += 1
        if opening is None:
            prose.append(lines[number - 1])
            continue
        mark = re.compile(rf" {{0,3}}{opening[1]}[`~]*[ \t]*")
        end = next((at for at in range(number, len(lines)) if mark.fullmatch(lines[at])), len(lines))
        language = opening[2].strip().split(" ")[0].lower()
        blocks.append(Block(language, lines[number:end], closed=end < len(lines)))
        prose.append("")
        number = end + 1
    return blocks, "\n".join(prose)


def spans_and_prose(text: str) -> tuple[list[str], str]:
    """The code in the lines of a text: what stands between two equally long runs of backticks; and the text
    with a space for each."""
    runs = [match.span() for match in _TICKS.finditer(text)]
    later: dict[int, list[int]] = {}
    for start, end in reversed(runs):
        later.setdefault(end - start, []).append(start)
    spans: list[str] = []
    prose: list[str] = []
    position = 0
    for start, end in runs:
        same = later[end - start]
        while same and same[-1] <= start:
            same.pop()
        if start < position or not same:
            continue
        spans.append(text[end : same[-1]])
        prose.append(text[position:start])
        position = same[-1] + end - start
    return spans, " ".join([*prose, text[position:]])
