"""Three-way merge of one Markdown file: what the pipeline wrote, what a person made of it, what is new.

The unit is a cell: a non-blank line with its line ending and the blank lines after it. A rule is one
line, so a cell is a rule or a line of structure or prose. The new text is taken as the frame and the
person's changes are made to it: lines they rewrote, deleted, moved and added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from rapidfuzz import fuzz

from t2s_pipeline.skills.document import split_lines, without_ending

REWRITTEN_IN_PLACE = 60
"""Similarity (0 to 100) from which a line in the place of another is the same line rewritten."""
REWRITTEN_ELSEWHERE = 80
"""The same for a line in another place."""


@dataclass(frozen=True)
class Cell:
    """A non-blank line; `tail` is its line ending and the blank lines that follow."""

    text: str
    tail: str
    rule_id: str | None = None

    @property
    def heading(self) -> bool:
        return self.rule_id is None and self.text.startswith("#")


@dataclass(frozen=True)
class Cells:
    """A text as cells; `head` is the blank lines before the first of them."""

    head: str
    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, lines: Sequence[str], rule_of: Mapping[str, str]) -> Cells:
        """Cells of lines with endings; `rule_of` maps the text of a line to its rule."""
        head, cells = "", list[Cell]()
        for line in lines:
            text = without_ending(line)
            if text.strip():
                cells.append(Cell(text, line[len(text) :], rule_of.get(text)))
            elif cells:
                cells[-1] = replace(cells[-1], tail=cells[-1].tail + line)
            else:
                head += line
        return cls(head, tuple(cells))


@dataclass(frozen=True)
class Alignment:
    """What a person did to the lines that were generated."""

    kept: Mapping[int, int]
    """Line on disk to the generated line it still is, in the order of both."""
    rewritten: Mapping[int, int]
    """Line on disk to the generated line it replaces."""
    moved: Mapping[int, int]
    """Line on disk to the generated line it is, in another place."""
    deleted: frozenset[int]
    """Generated lines that are gone."""
    added: frozenset[int]
    """Lines on disk that are the person's own."""

    def source(self, line: int) -> int | None:
        """The generated line that a line on disk is or was made of."""
        for pairs in (self.kept, self.rewritten, self.moved):
            if line in pairs:
                return pairs[line]
        return None


def align(generated: Cells, disk: Cells, remembered: Mapping[str, str]) -> Alignment:
    """Which line on disk is which generated line.

    `remembered` gives, for rules that were found rewritten before, the person's line: that line stays the
    rule's, however different it is by now.
    """
    ours, theirs = generated.cells, disk.cells
    kept: dict[int, int] = {}
    places: list[tuple[Sequence[int], Sequence[int]]] = []
    for tag, first, last, start, stop in _opcodes([c.text for c in ours], [c.text for c in theirs]):
        if tag == "equal":
            kept.update(zip(range(start, stop), range(first, last), strict=True))
        else:
            places.append((range(first, last), range(start, stop)))
    gone = {i for first, _ in places for i in first}
    new = {j for _, start in places for j in start}
    rewritten: dict[int, int] = {}
    moved: dict[int, int] = {}
    for into, wanted in (
        (rewritten, {i: remembered.get(ours[i].rule_id or "") for i in gone}),
        (moved, {i: ours[i].text for i in gone}),
    ):
        for i in sorted(gone):
            j = next((j for j in sorted(new) if theirs[j].text == wanted[i]), None)
            if j is not None:
                into[j] = i
                gone.discard(i)
                new.discard(j)
    anywhere = [([i for i in sorted(gone) if ours[i].rule_id], sorted(new))]
    for least, areas in ((REWRITTEN_IN_PLACE, places), (REWRITTEN_ELSEWHERE, anywhere)):
        pairs = [(i, j) for left, right in areas for i in left if i in gone for j in right if j in new]
        for i, j in _alike(pairs, ours, theirs, least):
            rewritten[j] = i
            gone.discard(i)
            new.discard(j)
    return Alignment(kept, rewritten, moved, frozenset(gone), frozenset(new))


def _opcodes(one: Sequence[str], other: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, one, other, autojunk=False).get_opcodes()


def _alike(
    pairs: Sequence[tuple[int, int]], one: Sequence[Cell], other: Sequence[Cell], least: int
) -> list[tuple[int, int]]:
    """The most similar pairs, each cell used once, none less similar than `least`."""
    scored = sorted((-fuzz.ratio(one[i].text, other[j].text), i, j) for i, j in pairs)
    chosen: list[tuple[int, int]] = []
    for score, i, j in scored:
        if -score >= least and all(i != left and j != right for left, right in chosen):
            chosen.append((i, j))
    return chosen


def merge_cells(generated: Cells, disk: Cells, new: Cells, alignment: Alignment, newline: str) -> str:
    """The text of `new` with the person's changes to `generated`, as found in `disk`, made to it.

    A changed line whose counterpart is not in `new` stays where the person has it.
    """
    image = _images(generated, new)
    frame = {n: replace(cell, tail=_with_newline(cell.tail, newline)) for n, cell in enumerate(new.cells)}
    for i in alignment.deleted:
        frame.pop(image.get(i, -1), None)
    added: dict[int, list[Cell]] = {}
    headings = _headings_with_hand_text(disk, alignment)
    anchor = -1
    for j, cell in enumerate(disk.cells):
        source = alignment.source(j)
        target = image.get(source, -1) if source is not None else -1
        if source is None:
            added.setdefault(anchor, []).append(cell)
        elif j in alignment.kept:
            if target in frame:
                frame[target] = _with_tail(frame[target], cell, generated.cells[source])
                anchor = target
            elif j in headings:
                added.setdefault(anchor, []).append(cell)
        elif j in alignment.rewritten:
            if target in frame and target > anchor:
                frame[target] = replace(
                    _with_tail(frame[target], cell, generated.cells[source]), text=cell.text
                )
                anchor = target
            else:
                frame.pop(target, None)
                added.setdefault(anchor, []).append(cell)
        elif target in frame:
            added.setdefault(anchor, []).append(replace(cell, text=frame.pop(target).text))
        elif generated.cells[source].rule_id is None:
            added.setdefault(anchor, []).append(cell)
    result = list(added.get(-1, ()))
    for n in range(len(new.cells)):
        result += [frame[n]] if n in frame else []
        result += added.get(n, ())
    head = disk.head if disk.head != generated.head else _with_newline(new.head, newline)
    return head + _text(result, newline)


def _with_tail(cell: Cell, theirs: Cell, ours: Cell) -> Cell:
    """The cell with the blank lines the person left after it, where they changed them."""
    return replace(cell, tail=theirs.tail) if theirs.tail != ours.tail else cell


def _images(generated: Cells, new: Cells) -> dict[int, int]:
    """Generated line to its place in the new text: rules by id, other lines by alignment and likeness."""
    by_rule = {cell.rule_id: n for n, cell in enumerate(new.cells) if cell.rule_id}
    found = {i: by_rule[cell.rule_id] for i, cell in enumerate(generated.cells) if cell.rule_id in by_rule}
    old = [i for i, cell in enumerate(generated.cells) if not cell.rule_id]
    fresh = [n for n, cell in enumerate(new.cells) if not cell.rule_id]
    texts = [generated.cells[i].text for i in old], [new.cells[n].text for n in fresh]
    for tag, first, last, start, stop in _opcodes(*texts):
        if tag == "equal":
            found.update(zip(old[first:last], fresh[start:stop], strict=True))
        else:  # a line of ours whose counts changed is the same line in its new words
            pairs = [(i, n) for i in old[first:last] for n in fresh[start:stop]]
            found.update(_alike(pairs, generated.cells, new.cells, REWRITTEN_IN_PLACE))
    return found


def _headings_with_hand_text(disk: Cells, alignment: Alignment) -> set[int]:
    """Headings on disk with a line of the person's before the next heading."""
    found: set[int] = set()
    heading: int | None = None
    for j, cell in enumerate(disk.cells):
        if cell.heading:
            heading = j
        elif heading is not None and j not in alignment.kept:
            found.add(heading)
    return found


def _with_newline(tail: str, newline: str) -> str:
    return "".join(without_ending(line) + newline for line in split_lines(tail))


def _text(cells: Sequence[Cell], newline: str) -> str:
    """The cells as text: every line but the last ends, and a heading has a blank line before it."""
    parts: list[str] = []
    for position, cell in enumerate(cells):
        tail = cell.tail
        if position + 1 < len(cells):
            tail = tail or newline
            ours = cell.rule_id is not None
            if cells[position + 1].heading and ours and len(split_lines(tail)) < 2:
                tail += newline
        parts.append(cell.text + tail)
    return "".join(parts)
