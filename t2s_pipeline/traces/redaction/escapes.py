r"""Reading through escapes: JSON inside strings, shell and YAML double quotes, at any depth.

A secret in `{\"token\": \"…\"}` is found in the decoded view `{"token": "…"}`, and its place there is
mapped back to the text as it stands. Only what hides the edge of a value is decoded: a run of
backslashes with the character it protects becomes that character, and `\n`, `\r`, `\t` become white
space. Runs of any length are read as one escape, which undoes every level of nesting in one pass.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_ESCAPE = re.compile(rb"\\+(?:u00([2-7][0-9A-Fa-f])|([nrt])|([^\w\s\\])|)")
_WHITE = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_ONE_LEVEL = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)


@dataclass(frozen=True, slots=True)
class View:
    """Decoded bytes, and where each stretch of them stands in the original."""

    data: bytes
    starts: tuple[int, ...]
    """Offsets in `data` where a stretch of constant shift begins, ascending, first is 0."""
    origins: tuple[int, ...]
    """The original offset of each start."""

    def origin(self, offset: int) -> int:
        """Original offset of the byte at `offset` of the view; an escape begins at its backslash."""
        place = bisect_right(self.starts, offset) - 1
        return self.origins[place] + offset - self.starts[place]

    def offset(self, origin: int) -> int:
        """Offset in the view of an original byte; inside of an escape, where the escape begins."""
        place = bisect_right(self.origins, origin) - 1
        offset = self.starts[place] + origin - self.origins[place]
        ends_before = place + 1 < len(self.starts) and offset >= self.starts[place + 1]
        return self.starts[place] if ends_before else offset


def decoded(raw: bytes) -> View:
    """The view of `raw` with every escape resolved; the identity where there is no backslash."""
    if b"\\" not in raw:
        return View(raw, (0,), (0,))
    pieces: list[bytes] = []
    starts, origins = [0], [0]
    length = last = 0
    for match in _ESCAPE.finditer(raw):
        start, end = match.span()
        code, white, mark = match.groups()
        if code is not None:
            char = bytes((int(code, 16),))
        elif white is not None:
            char = _WHITE[white]
        elif mark is not None:
            char = mark
        else:
            char = b"\\"
        pieces += (raw[last:start], char)
        length += start - last
        starts.append(length)
        origins.append(start)
        length += 1
        starts.append(length)
        origins.append(end)
        last = end
    pieces.append(raw[last:])
    return View(b"".join(pieces), tuple(starts), tuple(origins))


def unescaped(raw: bytes) -> View:
    """The view of the content of a JSON string with one level of escapes resolved, as a parser reads it."""
    pieces: list[bytes] = []
    starts, origins = [0], [0]
    length = last = 0
    for match in _ONE_LEVEL.finditer(raw):
        start, end = match.span()
        code, char = match.groups()
        put = chr(int(code, 16)).encode("utf-8", "surrogatepass") if code else _WHITE.get(char, char)
        pieces += (raw[last:start], put)
        length += start - last
        starts += (length, length + len(put))
        origins += (start, end)
        length += len(put)
        last = end
    pieces.append(raw[last:])
    return View(b"".join(pieces), tuple(starts), tuple(origins))
