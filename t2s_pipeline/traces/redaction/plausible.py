"""Could this value be a secret at all? Judgements on the value alone, for rules that go by a name."""

from __future__ import annotations

import re
from collections import Counter
from math import log2
from typing import Literal

Certainty = Literal["said", "bare", "quoted", "field"]
"""How sure it is that the value is a value: the next word of a sentence, a bare word after an operator, a
quoted string after one, or the whole value of a field in a data structure."""

_TEMPLATE = re.compile(
    rb"""(?xi)
      ^ (?: \$ .* | % [\w.]+ % | <.*> | \{.*\} | \[.*\] | \(.*\) | @[\w.]+@   # ${VAR}, %VAR%, <key>
          | .*(?: \$\{ | \{\{ | \$\( | <(?:secret|personal): ) .*
          | !(?:vault|secret|ref|sub|env)\b .*                                  # YAML tags
          | (?:[*xX.\-_\#=~]|\xe2\x80\xa2)+                                      # *****
        )? $
    """,
    re.DOTALL,
)
_STAND_IN = re.compile(
    rb"""(?xi)
      (?: your | enter | insert | put | valid | invalid | wrong | correct | example | sample | dummy | fake
        | mock | changeme | change[_-]me | replace | redacted | masked | hidden | placeholder | todo | fixme
        | xxxx | \*\*\*\* | \.\.\. | none | null | nil | undefined | empty | unset | missing | required
        | optional | unknown | default | string | integer | boolean | object )
      (?: $ | [\W_] | here )
      | (?: (?:my|your|some|the|new|old|test|example|fake|dummy)[\W_]? )+
        (?: api | secret | passw?(?:or)?d? | token | key )
        [\W_]? (?: key | token | here | value )? [\W_\d]{0,3} $
    """
)
_CODE = re.compile(
    rb"""(?x)
      ^ (?: [A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)+      # path of names: settings.api_key
          | (?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+                   # CONSTANT_NAME
          | [a-z]+(?:_[a-z]+)+                              # snake_case_name
          | [a-z]+(?:[A-Z][a-z]+)+                          # camelCaseName
          | (?:[A-Z][a-z]+){2,}                             # CamelCaseName
          | [a-z]+(?:-[a-z]+)+                              # kebab-case-name
          | (?:~|\.{1,2})?/[\w./~-]*                        # a path
          | [\w./-]+\.(?:py|js|ts|json|ya?ml|toml|txt|md|pem|key|crt|cfg|ini|sh|go|rs|java|html?|csv|log)
          | https?://\S* | \d{4}-\d\d-\d\d\S* | v?\d+(?:\.\d+){1,3}\S{0,8} ) $
    """
)
_UUID = re.compile(rb"(?i)^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
_DIGEST = re.compile(
    rb"(?i)^(?:(?:md5|sha1|sha256|sha384|sha512)[:-])?(?:[0-9a-f]{7,12}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$"
)
_CALL_ID = re.compile(
    rb"^(?:call|toolu|tool|chatcmpl|msg|run|thread|asst|resp|rs|fc|req|item|step|file|ft|batch|trace|span|event|session)"
    rb"[_-][\w-]{4,}$"
)


def entropy(value: bytes) -> float:
    """Shannon entropy in bits per character."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values()) if size else 0.0


def is_stand_in(value: bytes) -> bool:
    """A template, a variable, a row of stars, or words that say what should stand here."""
    return _TEMPLATE.match(value) is not None or _STAND_IN.match(value) is not None


def is_code(value: bytes) -> bool:
    """A name, a path, a date or a version: something code and prose put after `=` or `:`."""
    if len(value) >= 36 and entropy(value) >= 4.5:
        return False  # base64 that happens to begin with a slash
    return _CODE.match(value) is not None


def is_uuid(value: bytes) -> bool:
    """A UUID in its usual form."""
    return _UUID.match(value) is not None


def is_identifier(value: bytes) -> bool:
    """A UUID, a digest or a call id: looks random, is not secret unless its name says so."""
    return any(shape.match(value) for shape in (_UUID, _DIGEST, _CALL_ID))


def character_kinds(value: bytes) -> int:
    """How many of lower case, upper case, digits and the rest occur in a value."""
    return (
        any(97 <= c <= 122 for c in value)
        + any(65 <= c <= 90 for c in value)
        + any(48 <= c <= 57 for c in value)
        + any(not (97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57) for c in value)
    )


def looks_random(value: bytes) -> bool:
    """Long enough, with digits among the letters, and no repetition: a key rather than words."""
    has_digit = any(48 <= c <= 57 for c in value)
    has_letter = any(97 <= (c | 32) <= 122 for c in value)
    return len(value) >= 12 and has_digit and has_letter and entropy(value) >= 3.0


def is_unlike_words(value: bytes) -> bool:
    """Mixed like something made by a generator, or by somebody told to use marks and digits: nothing that
    stands in a sentence by itself. Digests and ids are not, for want of capitals."""
    return len(value) >= 8 and character_kinds(value) >= 3 and not is_code(value) and b"/" not in value


def looks_like_password(value: bytes, certainty: Certainty) -> bool:
    """Could somebody have chosen this as a password?

    The whole value of a field named `password` is one unless it is a stand-in; in a line of text it also
    has to look unlike a word.
    """
    if b" " in value or b"\n" in value or not 4 <= len(value) <= 200:
        return False
    if certainty == "field":
        return True
    if is_code(value):
        return False
    kinds = character_kinds(value)
    has_digit = any(48 <= c <= 57 for c in value)
    if certainty == "quoted":
        return kinds >= 2 and (has_digit or kinds >= 3 or len(value) >= 8)
    if len(value) < 6 or any(char in b"([{}" for char in value):
        return False
    return (has_digit and kinds >= 2) or (kinds >= 2 and len(value) >= 10 and entropy(value) >= 3.0)
