"""What was redacted, remembered without keeping it: HMAC-SHA-256 under a random salt per data root.

The salt is what makes a fingerprint worthless to somebody who has the store and guesses passwords, so it
lies in a file of its own that only the owner can read, and never in the store.
"""

from __future__ import annotations

import hmac
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from t2s_pipeline.traces.redaction.linear import compile_linear

SALT_BYTES = 32
_SHORTEST_REMEMBERED = 6
"""Characters. A shorter value (`1234`) is redacted where it stands and not looked for elsewhere: it would
be found everywhere."""
_LONG_RUNS = (compile_linear(r"[A-Za-z0-9+/_-]{24,}"), compile_linear(r"[A-Za-z0-9]{20,}"))
_LONG_VALUE = 40
_EDGE = compile_linear(r"[A-Za-z0-9]+|[^A-Za-z0-9\s]")
_MOST_PIECES = 24
"""Longest candidate in pieces (words or single marks); a value of more pieces is known by its long runs."""


def load_salt(path: Path, randomness: Callable[[int], bytes]) -> bytes:
    """The salt of a data root, made on first use with mode 0600.

    Args:
        path: the salt file; its directory must exist.
        randomness: gives so many random bytes (`secrets.token_bytes`).

    Raises:
        ValueError: the file exists and is not a salt.
    """
    if not path.exists():
        _make_salt(path, randomness(SALT_BYTES))
    salt = path.read_bytes()
    if len(salt) != SALT_BYTES:
        raise ValueError(
            f"{path} is not a redaction salt ({len(salt)} bytes, expected {SALT_BYTES}). Restore it from a "
            "backup; without it, values redacted so far are no longer recognised."
        )
    return salt


def _make_salt(path: Path, salt: bytes) -> None:
    """Put a salt in place whole, unless somebody else was faster: then theirs stays."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # only the owner reads it
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(salt)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            # Unlike a rename, a link never replaces what is there.
            path.hardlink_to(beside)
    finally:
        beside.unlink()


def fingerprints(value: bytes, salt: bytes) -> tuple[str, ...]:
    """What a redacted value is remembered by: itself, and its long runs, so that one line of a private key
    or one part of a long token is recognised too. Empty for values too short to look for."""
    if len(value) < _SHORTEST_REMEMBERED:
        return ()
    parts = {value}
    if len(value) >= _LONG_VALUE:
        parts |= {value[match.start() : match.end()] for runs in _LONG_RUNS for match in runs.finditer(value)}
    return tuple(sorted(_digest(part, salt) for part in parts))


def known_spans(text: bytes, known: Collection[str], salt: bytes) -> Iterator[tuple[int, int]]:
    """Spans of `text` whose fingerprint is known. Values are looked for at every edge between words and
    marks, so quotes, brackets or punctuation around them do not matter."""
    if not known:
        return
    pieces = [(match.start(), match.end()) for match in _EDGE.finditer(text)]
    covered = 0
    for index, (start, _) in enumerate(pieces):
        if start < covered:
            continue
        for _, end in reversed(pieces[index : index + _MOST_PIECES]):
            if end - start >= _SHORTEST_REMEMBERED and _digest(text[start:end], salt) in known:
                yield start, end
                covered = end
                break


def _digest(value: bytes, salt: bytes) -> str:
    return hmac.digest(salt, value, "sha256").hex()
