"""What has to be minded in a JSON text for it to stay JSON: the boundaries of strings, and bare numbers.

A private key may be said to begin in one string of a JSON text and to end in another. Replacing the span
as it stands would take the quotes and colons between with it, and the text would no longer parse; so the
part in each string is replaced, and the punctuation stays. Texts that are no JSON are left as they are.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from t2s_pipeline.traces.redaction.escapes import unescaped

_TOKEN = re.compile(
    rb'"(?P<content>[^"\\]*+(?:\\.[^"\\]*+)*+)"(?P<colon>\s*+:)?'
    rb"|[\s\[\]{},:]++|-?(?:\d[\d.eE+-]*+|Infinity)|true|false|null|NaN",
    re.DOTALL,
)
_BEGINNING = re.compile(rb'\s*+(?:[\[{]|\\*+")')
_FIELD_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_-]{0,39}")
"""Names that are left where a span runs over them: they say nothing, and two fields of one object that
become equal would lose a value to whoever parses the text."""
_PUNCTUATION = re.compile(rb'[\s\[\]{},:"]+')
_NUMBER = re.compile(rb"-?\d[\d.eE+-]*")

Span = tuple[int, int]


class Piece(NamedTuple):
    """A part of a span."""

    start: int
    end: int
    span: int
    """Index of the span."""


class _String(NamedTuple):
    """The content of a string, between its quotes."""

    start: int
    end: int
    is_field: bool
    """Is it the name of a field, or a value?"""


def within_strings(text: bytes, spans: Sequence[Span]) -> list[Piece]:
    """The spans cut so that none crosses the boundary of a string, in JSON inside of strings too.

    A span that crosses none stays whole, and so does one that is a whole text or a whole string.

    Args:
        text: a text as it stands, with its escapes.
        spans: ascending and disjoint offsets in the text.

    Returns:
        Pieces in order of place, at least one for each span.
    """
    whole = [Piece(start, end, index) for index, (start, end) in enumerate(spans)]
    if not any(b'"' in text[start:end] for start, end in spans) or spans[0] == (0, len(text)):
        return whole
    pieces = _cut(text, whole)
    found = {piece.span for piece in pieces}
    return sorted((*pieces, *(piece for piece in whole if piece.span not in found)))


def _cut(text: bytes, whole: Sequence[Piece]) -> Sequence[Piece]:
    """As `within_strings`; nothing for a span of nothing but punctuation."""
    strings = _strings(text)
    if strings is None:
        return whole
    ends = [string.end for string in strings]
    pieces: list[Piece] = []
    cut: dict[_String, list[Piece]] = {}
    for piece in whole:
        place = bisect_left(ends, piece.start)
        parts = list(_parts(text, piece, strings, place)) if b'"' in text[piece.start : piece.end] else []
        for string, part in parts:
            if (part.start, part.end) == (string.start, string.end):
                pieces.append(part)
            else:
                cut.setdefault(string, []).append(part)
        if not parts and _PUNCTUATION.fullmatch(text, piece.start, piece.end) is None:
            pieces.append(piece)
    for string, inside in cut.items():
        pieces.extend(_within_string(text, string, inside))
    return pieces


def bare_numbers(text: bytes, spans: Sequence[Span]) -> Mapping[Span, bytes]:
    """The spans that are numbers of a JSON text, where a string needs quotes for the text to stay JSON.

    Returns:
        The quote to put on both sides, with the backslashes it needs inside of a string.
    """
    numbers = [span for span in spans if _NUMBER.fullmatch(text, *span)]
    return dict(_quotes(text, numbers, b'"')) if numbers else {}


def _quotes(text: bytes, numbers: Sequence[Span], quote: bytes) -> Iterator[tuple[Span, bytes]]:
    strings = _strings(text)
    if strings is None:
        return
    ends = [string.end for string in strings]
    inside: dict[_String, list[Span]] = {}
    for start, end in numbers:
        place = bisect_left(ends, start)
        if place < len(strings) and strings[place].start <= start:
            inside.setdefault(strings[place], []).append((start, end))
        else:
            yield (start, end), quote
    escaped = quote.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    for string, spans in inside.items():
        content = text[string.start : string.end]
        if _BEGINNING.match(content) is not None:
            view = unescaped(content)
            places = {
                (view.offset(start - string.start), view.offset(end - string.start)): (start, end)
                for start, end in spans
            }
            for span, deeper in _quotes(view.data, list(places), escaped):
                yield places[span], deeper


def _parts(
    text: bytes, piece: Piece, strings: Sequence[_String], place: int
) -> Iterator[tuple[_String, Piece]]:
    """What a span covers of each string from `place` on; of a field's name only where nothing else is."""
    covered = []
    while place < len(strings) and strings[place].start < piece.end:
        string = strings[place]
        start, end = max(piece.start, string.start), min(piece.end, string.end)
        if start < end:
            covered.append((string, Piece(start, end, piece.span)))
        place += 1
    telling = [(string, part) for string, part in covered if not _is_bare_name(text, string, part)]
    yield from telling or covered


def _is_bare_name(text: bytes, string: _String, part: Piece) -> bool:
    whole = (part.start, part.end) == (string.start, string.end)
    return string.is_field and whole and _FIELD_NAME.fullmatch(text, part.start, part.end) is not None


def _within_string(text: bytes, string: _String, parts: Sequence[Piece]) -> Iterator[Piece]:
    """Parts of one string, cut further where the string is JSON itself."""
    content = text[string.start : string.end]
    if _BEGINNING.match(content) is None:
        yield from parts
        return
    view = unescaped(content)
    inner = [
        part._replace(start=view.offset(part.start - string.start), end=view.offset(part.end - string.start))
        for part in parts
    ]
    uncut = frozenset(inner)
    outer = {part.span: part for part in parts}
    for piece in _cut(view.data, inner):
        part = outer[piece.span]
        start, end = string.start + view.origin(piece.start), string.start + view.origin(piece.end)
        # An escape that the span itself cuts stays cut where it was.
        yield part if piece in uncut else Piece(max(start, part.start), min(end, part.end), piece.span)


def _strings(text: bytes) -> list[_String] | None:
    """Every string of a JSON text (or of several, one after the other), None where it is none."""
    if _BEGINNING.match(text) is None:
        return None
    strings: list[_String] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        if match["content"] is not None:
            strings.append(_String(*match.span("content"), match["colon"] is not None))
        position = match.end()
    return strings
