"""Regular expressions whose running time is linear in the text, whatever the text is.

Everything that reads untrusted text in this package goes through RE2 (no backtracking) and works on
bytes: offsets need no conversion, and text that is not valid UTF-8 (a lone surrogate) cannot raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, cast

import re2  # type: ignore[import-untyped]

_CACHE_BYTES = 48 << 20
"""Upper bound of one pattern's automaton. RE2 falls back to a slower, still linear engine above it."""


class BytesMatch(Protocol):
    """The part of a match object this package uses."""

    def start(self, group: int = 0) -> int: ...
    def end(self, group: int = 0) -> int: ...
    def group(self, group: int = 0) -> bytes | None: ...


class BytesPattern(Protocol):
    """The part of a compiled pattern this package uses."""

    @property
    def groups(self) -> int: ...
    def search(self, text: bytes, pos: int = 0, endpos: int | None = None) -> BytesMatch | None: ...
    def fullmatch(self, text: bytes) -> BytesMatch | None: ...
    def finditer(self, text: bytes, pos: int = 0, endpos: int | None = None) -> Iterator[BytesMatch]: ...


def compile_linear(pattern: str) -> BytesPattern:
    """Compile a pattern for bytes.

    Raises:
        ValueError: the pattern uses something RE2 cannot do in linear time (look-around, back-references).
    """
    try:
        return cast(BytesPattern, re2.compile(pattern.encode("latin-1"), _options()))
    except re2.error as error:
        raise ValueError(f"not a linear pattern: {pattern[:80]!r}: {_reason(error)}") from error


class PatternSet:
    """Many patterns matched in one pass, to learn which of them occur."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._set = re2.Set.SearchSet(_options())
        self._size = sum(1 for pattern in patterns if self._set.Add(pattern.encode("latin-1")) >= 0)
        if self._size:
            self._set.Compile()

    def matching(self, text: bytes) -> Sequence[int]:
        """Indices of the patterns that occur in a text.

        RE2 gives the same empty answer for "none" and for "out of memory", so an empty answer stands for
        all of them: callers ask only about texts in which something occurs.
        """
        if not self._size:
            return ()
        return cast("Sequence[int] | None", self._set.Match(text)) or range(self._size)


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _CACHE_BYTES
    options.log_errors = False
    return options


def literal(text: bytes) -> str:
    """The pattern (for `compile_linear`) that matches exactly these bytes."""
    return cast(bytes, re2.escape(text)).decode("latin-1")


def _reason(error: Any) -> str:
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
