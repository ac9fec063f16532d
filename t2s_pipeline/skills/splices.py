"""From an edit with an anchor to the lines it replaces and the lines it puts there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from t2s_pipeline.errors import EditRefused
from t2s_pipeline.skills.document import Document, Section, resolve_link, split_lines, without_ending
from t2s_pipeline.skills.edits import (
    AddSection,
    AppendToSection,
    DeleteSection,
    HeadingAnchor,
    InsertAfter,
    InsertBefore,
    LineAnchor,
    Replace,
)
from t2s_pipeline.skills.tree import SKILL_FILE

TextEdit = InsertAfter | InsertBefore | AppendToSection | Replace | AddSection | DeleteSection

_ITEM = re.compile(r"( {0,3})([-*+]|\d{1,9}[.)])(?:\s|$)")


@dataclass(frozen=True)
class Splice:
    """Lines `first` to `end` (0-based, half-open) become `lines`; an insertion has first == end."""

    number: int
    """Which edit of the patch, from 1."""
    first: int
    end: int
    lines: tuple[str, ...]
    anchors: tuple[int, ...] = ()
    """Lines an insertion holds on to; another edit that removes one of them overlaps it."""


def resolve_splice(document: Document, number: int, edit: TextEdit) -> Splice:
    """Where the edit goes in this document. Raises EditRefused when its anchor is not exactly one place."""
    match edit:
        case Replace():
            return _replacement(document, number, edit)
        case DeleteSection():
            section = find_section(document, number, edit.anchor)
            return Splice(number, section.first, section.end, ())
        case AddSection():
            return _new_section(document, number, edit)
        case AppendToSection():
            section = find_section(document, number, edit.anchor)
            at = document.text_end(section)
            return Splice(number, at, at, _lines_of(document, edit.text), (section.first,))
        case InsertAfter() | InsertBefore():
            return _insertion(document, number, edit)


def _insertion(document: Document, number: int, edit: InsertAfter | InsertBefore) -> Splice:
    if isinstance(edit.anchor, HeadingAnchor):
        section = find_section(document, number, edit.anchor)
        line, first, end = section.first, section.first, section.body
    else:
        line = find_line(document, number, edit.anchor)
        first, end = document.block_of(line) or (line, line + 1)
    at = end if isinstance(edit, InsertAfter) else first
    return Splice(number, at, at, _lines_of(document, edit.text), (line,))


def find_section(document: Document, number: int, anchor: HeadingAnchor) -> Section:
    """The one section whose heading path is, or ends with, the anchor."""
    exact = [section for section in document.sections if section.path == anchor.heading]
    size = len(anchor.heading)
    ending = [section for section in document.sections if section.path[-size:] == anchor.heading]
    found = exact if len(exact) == 1 else ending
    name = " > ".join(anchor.heading)
    if not found:
        raise EditRefused(f"Edit {number}: there is no section {name!r}.")
    if len(found) > 1:
        places = ", ".join(str(section.first + 1) for section in found)
        raise EditRefused(f"Edit {number}: section {name!r} is there {len(found)} times (lines {places}).")
    return found[0]


def find_line(document: Document, number: int, anchor: LineAnchor) -> int:
    """The one line after the frontmatter with exactly this text."""
    found = [
        line
        for line in range(document.body_start, len(document.lines))
        if without_ending(document.lines[line]) == anchor.line
    ]
    if not found:
        raise EditRefused(f"Edit {number}: no line reads {anchor.line[:80]!r}.")
    if len(found) > 1:
        places = ", ".join(str(line + 1) for line in found[:5])
        raise EditRefused(f"Edit {number}: {len(found)} lines read {anchor.line[:80]!r} (lines {places}).")
    return found[0]


def _lines_of(document: Document, text: str) -> tuple[str, ...]:
    lines = [without_ending(line) for line in split_lines(text)]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(line + document.newline for line in lines)


def _replacement(document: Document, number: int, edit: Replace) -> Splice:
    first = find_line(document, number, edit.anchor)
    last = first if edit.last is None else find_line(document, number, edit.last)
    if last < first:
        raise EditRefused(f"Edit {number}: the last line to replace comes before the first.")
    return Splice(number, first, last + 1, _lines_of(document, edit.text))


def _new_section(document: Document, number: int, edit: AddSection) -> Splice:
    at, anchors = len(document.lines), tuple[int, ...]()
    if edit.parent is not None:
        parent = find_section(document, number, edit.parent)
        if edit.level <= parent.level:
            raise EditRefused(
                f"Edit {number}: a level {edit.level} section does not fit below level {parent.level}."
            )
        at, anchors = parent.end, (parent.first,)
    while at > document.body_start and not document.lines[at - 1].strip():
        at -= 1
    text = f"{'#' * edit.level} {edit.title}\n"
    if edit.text.strip():
        text += "\n" + edit.text
    return Splice(number, at, at, _lines_of(document, text), anchors)


def joined(document: Document, splices: Sequence[Splice]) -> list[Splice]:
    """Splices in order of place, insertions at one place made into one, with the blank lines they need."""
    merged: list[Splice] = []
    for splice in splices:
        insertion = splice.first == splice.end
        last = merged[-1] if merged else None
        if insertion and last is not None and last.first == last.end == splice.first:
            gap = () if _same_list(last.lines, splice.lines) else (document.newline,)
            merged[-1] = replace(last, lines=(*last.lines, *gap, *splice.lines))
        else:
            merged.append(splice)
    return [_spaced(document, splice) if splice.first == splice.end else splice for splice in merged]


def _same_list(one: Sequence[str], other: Sequence[str]) -> bool:
    left, right = _ITEM.match(one[0]), _ITEM.match(other[0])
    return bool(left and right and left.groups() == right.groups())


def _spaced(document: Document, splice: Splice) -> Splice:
    """The insertion with a blank line before and after, where the text around it has none.

    A list item next to an item of the same list needs none.
    """
    lines = list(splice.lines)
    at = splice.first
    item = _ITEM.match(lines[0])
    before = next((entry for entry in reversed(document.items) if entry.end == at), None)
    after = next((entry for entry in document.items if entry.first == at), None)

    def tight(neighbour: int) -> bool:
        other = _ITEM.match(document.lines[neighbour])
        return bool(item and other and item.groups() == other.groups())

    if (
        at > document.body_start and document.lines[at - 1].strip() and not (before and tight(before.first))
    ) or (at == document.body_start and document.frontmatter is not None):
        lines.insert(0, document.newline)
    if at < len(document.lines) and document.lines[at].strip() and not (after and tight(after.first)):
        lines.append(document.newline)
    return replace(splice, lines=tuple(lines))


def deletion_of_links(document: Document, number: int, path: str) -> list[Splice]:
    """Removal of every list item or paragraph whose links all lead to `path`.

    Raises EditRefused when a block also links elsewhere: it says more than `read this file`.
    """
    removed: dict[tuple[int, int], Splice] = {}
    links = list(document.links())
    for line, target in links:
        if resolve_link(SKILL_FILE, target) != path:
            continue
        block = document.block_of(line)
        if block is None:
            raise EditRefused(f"Edit {number}: the link to {path} on line {line + 1} is in no block.")
        others = {resolve_link(SKILL_FILE, other) for at, other in links if block[0] <= at < block[1]}
        if others != {path}:
            raise EditRefused(
                f"Edit {number}: line {line + 1} links to {path} and to other places; edit that line instead."
            )
        removed[block] = Splice(number, *block, ())
    return list(removed.values())
