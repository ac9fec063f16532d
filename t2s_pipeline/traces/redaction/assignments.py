"""Secrets known by their name: `api_key = …`, `"password": "…"`, `--token …`, `password is …`.

The place of name, operator and value is found by two patterns that know the quoting of code, JSON, shell
and YAML (escapes are already resolved, see `escapes.py`). What was found is then said in one canonical
way, `name = "value"`, and judged by the gitleaks rules for assignments and by the name itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from t2s_pipeline.traces.redaction.linear import BytesPattern, compile_linear, literal
from t2s_pipeline.traces.redaction.plausible import (
    Certainty,
    entropy,
    is_code,
    is_identifier,
    is_stand_in,
    is_unlike_words,
    is_uuid,
    looks_like_password,
    looks_random,
)
from t2s_pipeline.traces.redaction.rules import Allowed, Rule
from t2s_pipeline.traces.redaction.spans import Hit

ASSIGNMENT_RANK = 10_000
"""Ranks of this file start here, after every token rule: a shape says more than a name."""
_BY_NAME_RANK = 20_000
_GENERIC = "generic-api-key"
"""gitleaks' rule for any name; the others name a vendor."""

_FOREIGN_PASSWORDS = ("contraseña", "пароль", "hasło", "密码", "口令", "パスワード", "비밀번호")
_KEY_WORDS = "access|auth|api|credential|creds|key|secret|token"
_PASSWORD_WORDS = "|".join(
    (
        r"passw(?:or)?d|passphrase|passcode|pwd|_pw\b|_pass\b|\bpass\b|\bpw\b|key_?pass",
        "passwort|kennwort|mot de passe|senha|wachtwoord",
        *(word.encode().decode("latin-1") for word in _FOREIGN_PASSWORDS),
    )
)
_QUOTE = r"[\"'\x60]"
_OPERATOR = r"(?:=>|:=|\?=|\|{1,2}|={1,3}|!=|:{1,3}|>|,)"
_TYPED = r"(?::[ \t]{0,3}&?(?:str|string|String|text|varchar)\??[ \t]{0,3}=)"
_BLOCK_SCALAR = r"(?:[ \t]{0,9}[|>][-+]?[ \t]{0,9}\r?\n)?"
_SAID = r"[ \t]{1,9}(?:is|was|are|=)[ \t]{0,9}:?"
_NAME_VALUE_PAIR = rf"{_QUOTE}?[ \t]{{0,9}}[,\s][\s-]{{0,40}}{_QUOTE}?value{_QUOTE}?\s{{0,9}}[:=]"
"""`{"name": "API_KEY", "value": "…"}`, and the same in YAML and XML."""

_BETWEEN, _OPENING, _HEAD = 1, 2, 3
"""Groups of the two patterns: what separates name and value, the opening quote, the value's beginning."""
_LONGEST_NAME = 60
_LONGEST_VALUE = 2048
_JUDGED = 256
"""Bytes of a value that are looked at; the rules of the vendors describe shorter ones."""

_PASSWORD_NAME = re.compile(
    r"(?:password|passwd|passphrase|passcode|passwort|kennwort|passe|senha|wachtwoord|pwd|pass|pw"
    rf"|{'|'.join(_FOREIGN_PASSWORDS)})"
    r"(?:_?(?:\d{1,4}|value|plain|text))?$"
)
_SECRET_NAME = re.compile(
    r"(?:secret|token|credentials?|authorization|auth|bearer|key_?pass|secret_\w{0,12}key"
    r"|(?:private|api|access|auth|service|account|db|database|client|encryption|signing|master|license"
    r"|subscription|app|shared|session|webhook|admin|root|user|project)_?key)"
    r"(?:_?(?:\d{1,4}|value|plain|text|id_secret))?$"
)
_CERTAIN_NAME = re.compile(
    r"(?:api_?key|secret|(?:access|auth|api|refresh|bearer|personal|bot|deploy|service)_?token)(?:_?\d{1,4})?$"
)
"""Names under which even a UUID is a secret."""
_OTHER_NAME = re.compile(
    r"(?:^|_)(?:public|publishable|trial|site|primary|foreign|sort|partition|cache|idempotency|next|page|prev|previous|continuation"
    r"|cursor|sync|csrf|xsrf|eos|bos|pad|sep|cls|mask|stop|special|start|end|unk|max|min|num|n|first|last"
    r"|total|prompt|completion|input|output|sub|design|each|per|no|of)_(?:key|token|auth)$|(?:key|token)s$"
)
"""Names that end like a secret and are none: database keys, page tokens, tokens of a language model."""


class AssignmentScanner:
    """Finds values that are secret because of what they are assigned to. Build it once."""

    def __init__(self, rules: Iterable[Rule], allowed: Allowed) -> None:
        self._rules = tuple(rules)
        self._allowed = allowed
        # The same lines of code and configuration are shown over and over in a trace.
        self._cached_kind = lru_cache(maxsize=4096)(self._judge)
        self._means_a_secret = lru_cache(maxsize=4096)(self._name_means_a_secret)
        self._by_word: dict[str, list[int]] = {}
        for index, rule in enumerate(self._rules):
            for word in rule.keywords:
                self._by_word.setdefault(word.decode(), []).append(index)
        generic = {word.decode() for rule in self._rules if rule.kind == _GENERIC for word in rule.keywords}
        self._vendors = tuple(sorted(set(self._by_word) - generic))
        vendors = [literal(word.encode()) for word in self._vendors]
        between = (
            rf"[ \t\w.-]{{0,20}}?({_NAME_VALUE_PAIR}|{_SAID}|{_TYPED}"
            rf"|{_QUOTE}?[\])]?[ \t]{{0,20}}{_OPERATOR}{_BLOCK_SCALAR})"
        )
        opening = rf"[\s(\[]{{0,24}}([bruf@$L]?{_QUOTE}{{1,3}})?"
        anything = r"([^\s\x00\"'\x60<>]{4})"
        with_digit = r"([^\s\x00\"'\x60<>]*?\d)"  # no key is without one, most code is
        self._places = (
            compile_linear(f"(?i)(?:{_PASSWORD_WORDS}){between}{opening}{anything}"),
            compile_linear(f"(?i)(?:{'|'.join((_KEY_WORDS, *vendors))}){between}{opening}{with_digit}"),
        )
        value = opening + anything
        option = r"(?:password|passwd|passphrase|secret|token|key|pwd)"
        self._options = tuple(
            # The literal beginning lets RE2 skip to the next dash.
            compile_linear(rf"{dash}(?i:[\w-]{{0,30}}?{option}[\w-]{{0,12}})([ \t=]{{1,4}}){value}")
            for dash in (" --", " -", "'--", '"--')
        )
        self._said = compile_linear(
            r"(?i)\b(?:[\w-]{0,30}(?:api[ _-]?key|token|secret|password))([ \t]{1,3})([\"'\x60]?)"
            r"([^\s\x00\"'\x60<>,;:]{0,40}\d[^\s\x00\"'\x60<>,;:]{3})"
        )

    def hits(self, data: bytes) -> Iterator[Hit]:
        """Every such value in a text, or in several texts with a NUL byte between two."""
        for pattern in (*self._places, *self._options):
            yield from self._hits_of(pattern, data, said=False)
        yield from self._hits_of(self._said, data, said=True)

    def _hits_of(self, pattern: BytesPattern, data: bytes, *, said: bool) -> Iterator[Hit]:
        position = 0
        while (match := pattern.search(data, position)) is not None:
            start = match.start(_HEAD)
            name = _name_ending_at(data, match.start(), match.start(_BETWEEN))
            if not self._means_a_secret(name):
                position = start
                continue
            opening = match.group(_OPENING) or b""
            end = _value_end(data, start, opening)
            certainty: Certainty = "said" if said else "quoted" if opening else "bare"
            kind = self._kind(name, data[start:end], certainty)
            if kind is not None:
                yield Hit(start, end, kind[1], kind[0], data[start:end])
            position = end if kind is not None else start

    def field_kind(self, name: str, value: bytes) -> tuple[str, int] | None:
        """Kind and rank when the whole value of the field `name` is a secret, else None."""
        if len(name) > _LONGEST_NAME or not 4 <= len(value) <= _LONGEST_VALUE:
            return None
        return self._kind(name, value, "field")

    def _name_means_a_secret(self, name: str) -> bool:
        words, lower = _words(name), name.lower()
        if _OTHER_NAME.search(words):
            return False
        if _PASSWORD_NAME.search(words) or _SECRET_NAME.search(words):
            return True
        return any(word in lower for word in self._vendors)

    def _kind(self, name: str, value: bytes, certainty: Certainty) -> tuple[str, int] | None:
        return self._cached_kind(name, value[: _JUDGED + 1], certainty)

    def _judge(self, name: str, value: bytes, certainty: Certainty) -> tuple[str, int] | None:
        words = _words(name)
        if not self._means_a_secret(name) or not (_has_digit(value) or _PASSWORD_NAME.search(words)):
            return None
        if len(value) < 4 or is_stand_in(value):
            return None
        if certainty == "said" and not is_unlike_words(value):
            return None
        by_rule = self._kind_by_rule(name, words, value) if len(value) <= _JUDGED else None
        return by_rule or _kind_by_name(words, value, certainty)

    def _kind_by_rule(self, name: str, words: str, value: bytes) -> tuple[str, int] | None:
        lower = name.lower()
        line = name.encode("utf-8", "surrogatepass") + b' = "' + value + b'"'
        chosen = {rule for word, rules in self._by_word.items() if word in lower for rule in rules}
        for index in sorted(chosen):
            rule = self._rules[index]
            match = rule.pattern.search(line)
            if match is None:
                continue
            start, end = rule.secret_span(match)
            secret = line[start:end]
            if secret != value or entropy(secret) <= rule.entropy or not _has_digit(secret):
                continue
            if rule.kind == _GENERIC and not _generic_is_meant(words, value):
                continue
            matched = line[match.start() : match.end()]
            if not any(each.covers(secret, matched, line) for each in (self._allowed, *rule.allowed)):
                return rule.kind, ASSIGNMENT_RANK + index
        return None


def _generic_is_meant(words: str, value: bytes) -> bool:
    """gitleaks' generic rule goes by a word anywhere in the name (`keyboard`, `author`); it is believed
    when the name ends like a secret's, or when the value is long and mixed like nothing but a key."""
    if is_identifier(value) or is_code(value):
        return False
    named = _SECRET_NAME.search(words) is not None or _PASSWORD_NAME.search(words) is not None
    return named and looks_random(value)


def _kind_by_name(words: str, value: bytes, certainty: Certainty) -> tuple[str, int] | None:
    if _PASSWORD_NAME.search(words):
        return ("password", _BY_NAME_RANK) if looks_like_password(value, certainty) else None
    if not _SECRET_NAME.search(words) or b" " in value or not looks_random(value) or is_code(value):
        return None
    if is_uuid(value) and not _CERTAIN_NAME.search(words):
        return None
    last = next((each for each in ("token", "auth", "bearer", "key") if each in words), "secret")
    return {"token": "token", "key": "api-key", "secret": "secret"}.get(last, "token"), _BY_NAME_RANK + 1


def _words(name: str) -> str:
    """`dbPassword` and `DB-PASSWORD` as `db_password`; of a phrase, its last word."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^\w]+", "_", snake.lower()).strip("_")


def _has_digit(value: bytes) -> bool:
    return any(48 <= char <= 57 for char in value)


_NAME_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


def _name_ending_at(data: bytes, start: int, end: int) -> str:
    """The identifier around a keyword: letters before it belong to it."""
    lowest = max(0, start - _LONGEST_NAME)
    while start > lowest and data[start - 1] in _NAME_CHARACTERS:
        start -= 1
    return data[start:end].decode("utf-8", "replace").strip()


_BARE_END = re.compile(rb"[\s\x00\"'`<>]")
_BARE_SEPARATOR = re.compile(rb"[,;|&)}\]]")
_NEXT_FIELD = re.compile(rb"[&;][\w.%-]{1,40}=")
"""`?key=…&page=2`, `Pwd=…;Encrypt=true`"""


def _value_end(data: bytes, start: int, opening: bytes) -> int:
    limit = min(len(data), start + _LONGEST_VALUE)
    if opening:
        end = _quoted_end(data, start, limit, opening[-1:])
        if end is not None:
            return end
    stop = _BARE_END.search(data, start, limit)
    end = stop.start() if stop else limit
    if (field := _NEXT_FIELD.search(data, start, end)) is not None:
        return field.start()
    ends_line = end == len(data) or data[end] in b"\r\n\x00"
    if not ends_line and (separator := _BARE_SEPARATOR.search(data, start, end)) is not None:
        return separator.start()
    return start + len(data[start:end].rstrip(b",;)}].:"))


def _quoted_end(data: bytes, start: int, limit: int, quote: bytes) -> int | None:
    """Where a quoted value ends; shell joins like `'it'"'"'s'` are one value. None when it never does."""
    end = data.find(quote, start, limit)
    if end < 0 or b"\x00" in data[start:end] or b"\n" in data[start:end]:
        return None
    for _ in range(8):
        other = data[end + 1 : end + 2]
        if not other or other not in b"\"'" or data[end + 2 : end + 3] not in (b"'", b'"'):
            break
        closing = data.find(quote, end + 4, limit)
        if closing < 0 or b"\n" in data[end:closing]:
            break
        end = closing
    return end
