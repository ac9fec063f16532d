"""Cuts one large JSON document into its members without building the document in memory.

A trace container can be far larger than any trace in it. The scanner walks the bytes, keeps only the
member it is in, and hands each member out as raw JSON; a member above the limit is measured and
skipped. What surrounds the members (commas, keys, brackets) is checked, so a damaged document stops
with the place of the damage instead of inventing members.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import orjson

CHUNK_BYTES = 1 << 20
"""Read size: large enough to amortise calls, small enough to keep memory flat."""

# Possessive repeats: a string with millions of escapes must not build a backtracking stack.
_STRING_BODY = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_NESTED = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\]]', re.DOTALL)
_BLANK = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb"[^,\]\} \t\r\n]*")


@dataclass(frozen=True)
class Member:
    """One element of a JSON list, or one key and value of a JSON object."""

    key: str
    """The object key, or the list index as text."""
    raw: bytes | None
    """The value's own bytes; None when it was skipped (`size` says how large it was)."""
    size: int


@dataclass(frozen=True)
class Broken:
    """The document ends or turns into something that is not JSON inside or before this member."""

    key: str
    reason: str


class Scanner:
    """Reads a binary stream holding one JSON list or object and yields its members in order.

    `limit` is the largest member kept, in bytes.
    """

    def __init__(self, stream: BinaryIO, limit: int, *, chunk: int = CHUNK_BYTES) -> None:
        self._stream = stream
        self._limit = limit
        self._chunk = chunk
        self._buffer = b""
        self._position = 0
        self._ended = False

    def opening(self) -> bytes:
        """The first byte of the document: `[`, `{`, or whatever stands there; empty for no document."""
        return self._next_byte()

    def members(self) -> Iterator[Member | Broken]:
        """Every member; a `Broken` is the last thing yielded when the document is damaged."""
        opening = self._next_byte()
        if opening not in (b"[", b"{"):
            yield Broken("", "it does not start with a JSON list or object")
            return
        self._position += 1
        closing = b"]" if opening == b"[" else b"}"
        index = 0
        if self._next_byte() == closing:
            return
        while True:
            key = str(index)
            if opening == b"{":
                name = self._key()
                if name is None:
                    yield Broken(key, self._ending("a key was expected"))
                    return
                key = name
            member = self._value(key)
            yield member
            if isinstance(member, Broken):
                return
            index += 1
            separator = self._next_byte()
            if separator == closing:
                return
            if separator != b",":
                yield Broken(str(index), self._ending("a comma or the closing bracket was expected"))
                return
            self._position += 1

    def members_under(self, key: str) -> Iterator[Member | Broken]:
        """The members of the list or object under one key of the top object; nothing when it is absent."""
        if self._next_byte() != b"{":
            return
        self._position += 1
        while (name := self._key()) is not None:
            if name == key:
                yield from self.members()
                return
            if isinstance(self._value(name), Broken) or self._next_byte() != b",":
                return
            self._position += 1

    def _ending(self, otherwise: str) -> str:
        if self._ended and self._position >= len(self._buffer):
            return "the file ends in the middle of the document (truncated)"
        return f"the JSON is damaged here: {otherwise}"

    def _more(self) -> bool:
        if self._ended:
            return False
        chunk = self._stream.read(self._chunk)
        if not chunk:
            self._ended = True
            return False
        self._buffer = self._buffer[self._position :] + chunk
        self._position = 0
        return True

    def _next_byte(self) -> bytes:
        """The next byte that is not white space, without consuming it; empty at the end."""
        while True:
            blank = _BLANK.match(self._buffer, self._position)
            if blank is not None:
                self._position = blank.end()
            if self._position < len(self._buffer):
                return self._buffer[self._position : self._position + 1]
            if not self._more():
                return b""

    def _key(self) -> str | None:
        if self._next_byte() != b'"':
            return None
        member = self._value("")
        if isinstance(member, Broken) or member.raw is None or self._next_byte() != b":":
            return None
        self._position += 1
        try:
            return str(orjson.loads(member.raw))
        except orjson.JSONDecodeError:
            return member.raw[1:-1].decode("utf-8", "replace")

    def _value(self, key: str) -> Member | Broken:
        """Consumes one value. Memory is bounded by the limit: what exceeds it is only counted."""
        first = self._next_byte()
        if first == b"":
            return Broken(key, self._ending("a value was expected"))
        if first not in b'"{[':
            return self._scalar(key)
        kept: list[bytes] = []
        size = 0
        depth = 0
        in_string = False
        start = self._position
        position = start
        while True:
            buffer = self._buffer
            end = len(buffer)
            done = False
            while position < end:
                if in_string:
                    body = _STRING_BODY.match(buffer, position)
                    position = body.end() if body is not None else position
                    if position >= end or buffer[position] != 0x22:
                        break
                    position += 1
                    in_string = False
                    if depth == 0:
                        done = True
                        break
                    continue
                for token in _NESTED.finditer(buffer, position):
                    position = token.end()
                    if position - token.start() > 1:
                        if depth == 0:
                            done = True
                            break
                        continue
                    byte = buffer[position - 1]
                    if byte == 0x22:
                        in_string = True
                        break
                    if byte in b"{[":
                        depth += 1
                    else:
                        depth -= 1
                        if depth == 0:
                            done = True
                            break
                else:
                    position = end
                if done:
                    break
            size += position - start
            if size <= self._limit:
                kept.append(buffer[start:position])
            else:
                kept.clear()
            self._position = position
            if done:
                raw = b"".join(kept) if size <= self._limit else None
                return Member(key, raw, size)
            # A lone backslash at the end of the buffer stays unread until its partner is there.
            if not self._more():
                self._position = len(self._buffer)
                return Broken(key, self._ending("a value does not end"))
            start = position = self._position

    def _scalar(self, key: str) -> Member | Broken:
        start = self._position
        while True:
            run = _SCALAR.match(self._buffer, start)
            end = run.end() if run is not None else start
            if end < len(self._buffer):
                break
            self._position = start
            if not self._more():
                end = len(self._buffer)
                break
            start = self._position
        raw = self._buffer[start:end]
        self._position = end
        if not raw or len(raw) > self._limit:
            return Broken(key, self._ending("a value was expected"))
        return Member(key, raw, len(raw))
