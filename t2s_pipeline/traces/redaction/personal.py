"""The second layer: e-mail addresses, phone numbers, card numbers, public IP addresses.

Addresses and numbers that belong to nobody are kept, because a skill may need them: reserved and private
networks, documentation ranges, example domains, the 555-01xx numbers of films and manuals.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from t2s_pipeline.traces.redaction.config import PersonalKind
from t2s_pipeline.traces.redaction.linear import BytesMatch, BytesPattern, compile_linear
from t2s_pipeline.traces.redaction.spans import PERSONAL_RANK, Hit

_PATTERNS: dict[PersonalKind, str] = {
    "email": r"[A-Za-z0-9][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}",
    "phone": (
        r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
        r"|\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}|\b\d{3}[ .-]\d{3}[ .-]\d{4}\b"
        r"|\b0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}\b"
    ),
    "card": r"\b\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}\b|\b3\d{3}[ -]\d{6}[ -]\d{4,5}\b|\b[2-6]\d{12,18}\b",
    "ip": (
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b"
        r"|\b[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{1,4}:){3,6}(?::?[0-9A-Fa-f]{1,4})"
        r"|\b[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{1,4}:){0,6}:(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})"
    ),
}

_NOBODYS_MAIL = re.compile(
    rb"""(?xi)
      ^ (?: git | hg | svn | no-?reply | do-?not-?reply | noreply-?[\w.-]* | mailer-daemon | postmaster ) @
      | @ (?: [\w.-]+ \. )? (?: example | test | invalid | localhost | local | internal ) $
      | @ (?: [\w.-]+ \. )? example \. (?: com | org | net | edu ) $
      | \. (?: png | jpe?g | gif | svg | webp | css | js | jsx | ts | tsx | json | html? | py | rb | go | rs
             | java | md | txt | ya?ml | toml | xml | sh | lock | so | dll | whl | map | vue | scss | php
             | csv ) $
    """
)
"""Service accounts of version control (`git@github.com`), example domains, file names with an @."""

_WELL_KNOWN_IPS = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "1.2.3.4"})
_VERSION_BEFORE = re.compile(
    rb"(?i)(?:[\w.+~^<>-]|[=~!<>]=|\b(?:version|release|ver\.?|build)[\s\"':=]{1,4})\Z"
)
_VERSION_AFTER = re.compile(rb"[-_+]|\.\w")
_PRODUCT_BEFORE = re.compile(
    rb"(?<!\bfrom)(?<!\bat)(?<!\bto)(?<!\bip)(?<!\bIP)(?<!\bhost)(?<!\baddress)(?<!\bby)(?<!\bon)(?<=[A-Za-z])\s\Z"
)
"""`WP Rocket 3.17.2.1`: a name and then four small numbers is the version of a product."""
_JOINED_BEFORE = re.compile(rb"[\w./=+#-]\Z")
_JOINED_AFTER = re.compile(rb"[\w/-]|\.\d")
_CARD_LENGTHS = {"3": {14, 15}, "2": {16}, "4": {13, 16, 19}, "5": {16}, "6": {16, 19}}
_MIN_PHONE_DIGITS, _MAX_PHONE_DIGITS = 8, 15


class PersonalScanner:
    """Finds personal values of the chosen kinds. Build it once."""

    def __init__(self, kinds: Iterable[PersonalKind]) -> None:
        self._patterns: tuple[tuple[PersonalKind, BytesPattern], ...] = tuple(
            (kind, compile_linear(_PATTERNS[kind])) for kind in sorted(kinds)
        )

    def hits(self, data: bytes) -> Iterator[Hit]:
        """Every personal value in a text, or in several texts with a NUL byte between two."""
        for rank, (kind, pattern) in enumerate(self._patterns, start=PERSONAL_RANK):
            accepted, edge = _ACCEPTED[kind], -1
            for match in pattern.finditer(data):
                # What stands directly after a value that is hidden stands alone.
                before = b"" if match.start() == edge else data[max(0, match.start() - 16) : match.start()]
                if accepted(data, match, before):
                    edge = match.end()
                    yield Hit(match.start(), match.end(), rank, kind, data[match.start() : match.end()])


def _is_email(data: bytes, match: BytesMatch, _before: bytes) -> bool:
    return _NOBODYS_MAIL.search(data[match.start() : match.end()][-200:]) is None


def _is_phone(data: bytes, match: BytesMatch, before: bytes) -> bool:
    start, end = match.start(), match.end()
    text = data[start:end]
    digits = re.sub(rb"\D", b"", text)
    if not _MIN_PHONE_DIGITS <= len(digits) <= _MAX_PHONE_DIGITS or not _stands_alone(
        before, data[end : end + 2]
    ):
        return False
    if digits[-7:-2] == b"55501" or len(set(digits)) < 3:
        return False
    if text.startswith(b"+"):
        # An added line of a diff is a plus at the beginning of a line and then a number.
        at_line_start = not before or before[-1] in b"\n\x00"
        return len(digits) >= 10 and (not at_line_start or len(digits) < len(text) - 1)
    return True


def _is_card(data: bytes, match: BytesMatch, before: bytes) -> bool:
    digits = re.sub(rb"\D", b"", data[match.start() : match.end()]).decode()
    return (
        len(digits) in _CARD_LENGTHS.get(digits[0], ())
        and _stands_alone(before, data[match.end() : match.end() + 2])
        and _issued(digits)
        and passes_luhn(digits)
    )


def _issued(digits: str) -> bool:
    """Does the number begin like one of the card networks?"""
    two, three, four = int(digits[:2]), int(digits[:3]), int(digits[:4])
    return (
        digits[0] == "4"
        or 51 <= two <= 55
        or 2221 <= four <= 2720
        or two in (34, 37, 36, 38, 62, 65)
        or 300 <= three <= 305
        or 3528 <= four <= 3589
        or four == 6011
        or 644 <= three <= 649
    )


def passes_luhn(digits: str) -> bool:
    """The check digit of card numbers (ISO/IEC 7812)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0 and len(set(digits)) > 1


def _is_ip(data: bytes, match: BytesMatch, before: bytes) -> bool:
    start, end = match.start(), match.end()
    text = data[start:end].decode("ascii")
    if not _is_public(text):
        return False
    if _VERSION_BEFORE.search(before) or (text[1] == "." and _PRODUCT_BEFORE.search(before)):
        return False
    return _VERSION_AFTER.match(data[end : end + 2]) is None


@lru_cache(maxsize=4096)
def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and text not in _WELL_KNOWN_IPS


def _stands_alone(before: bytes, after: bytes) -> bool:
    """No letter, digit or joining mark on either side: not a piece of an identifier or of a decimal."""
    return _JOINED_BEFORE.search(before) is None and _JOINED_AFTER.match(after) is None


_ACCEPTED = {"email": _is_email, "phone": _is_phone, "card": _is_card, "ip": _is_ip}
