"""All scanners over many texts at once: what must go, text by text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import orjson

from t2s_pipeline.traces.redaction.assignments import AssignmentScanner
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.escapes import decoded
from t2s_pipeline.traces.redaction.linear import BytesPattern, compile_linear, literal
from t2s_pipeline.traces.redaction.personal import PersonalScanner
from t2s_pipeline.traces.redaction.plausible import character_kinds, entropy
from t2s_pipeline.traces.redaction.rules import load_rules
from t2s_pipeline.traces.redaction.spans import PERSONAL_RANK, Hit, disjoint, without_placeholders
from t2s_pipeline.traces.redaction.tokens import TokenScanner
from t2s_pipeline.traces.redaction.tree import RAW_SHAPE, lay_out

_LARGEST_PATTERN = 64 << 10
"""Bytes of values looked for in one pass."""
_LONGEST_SPREAD, _SHORTEST_SPREAD, _SHORTEST_INSIDE = 512, 8, 12
"""Lengths of values that are looked for wherever else they stand: longer ones are found by their own rule
each time, shorter ones are words; below the last, only as a whole word."""


class Texts:
    """Several texts laid end to end, so that one pass of an automaton reads them all.

    Args:
        views: the texts with escapes resolved; all offsets are offsets in these.
        raws: the same texts as they stand, where known.
    """

    def __init__(self, views: Sequence[bytes], raws: Sequence[bytes] = ()) -> None:
        self.views = views
        self.raws = raws or views
        self.starts: list[int] = []
        self.ends: list[int] = []
        offset = 0
        for view in views:
            self.starts.append(offset)
            offset += len(view)
            self.ends.append(offset)
            offset += 1
        self.data = b"\x00".join(views)

    def local(self, hit: Hit) -> tuple[int, Hit] | None:
        """Which text a hit in `data` falls into, and the hit in the offsets of that text."""
        index = bisect_right(self.starts, hit.start) - 1
        base = self.starts[index]
        if hit.end > self.ends[index]:
            return None
        return index, hit._replace(start=hit.start - base, end=hit.end - base)


class Detector:
    """Everything a configuration asks to hide. Holds compiled automata; `detector_for` shares them."""

    def __init__(self, config: RedactionConfig) -> None:
        self._config = config
        self._keep = frozenset(value.encode("utf-8", "surrogatepass") for value in config.keep)
        rules = load_rules()
        off = config.disabled_rules
        self._tokens = TokenScanner([rule for rule in rules.tokens if rule.kind not in off], rules.allowed)
        self._assignments = AssignmentScanner(
            [rule for rule in rules.assignments if rule.kind not in off], rules.allowed
        )
        self._personal = PersonalScanner(config.personal)

    def hits(self, texts: Texts, names: Sequence[str] = ()) -> dict[int, list[Hit]]:
        """What must go, by index of the text; hits may overlap, those on placeholders are left out.

        Args:
            texts: views with escapes resolved.
            names: the field each text is the whole value of, empty where it is none.
        """
        found: dict[int, list[Hit]] = {}
        for index, hit in self._all(texts, names):
            if hit.kind not in self._config.disabled_rules and hit.value not in self._keep:
                found.setdefault(index, []).append(hit)
        return {
            index: free
            for index, hits in found.items()
            if (free := without_placeholders(texts.views[index], hits))
        }

    def _all(self, texts: Texts, names: Sequence[str]) -> Iterator[tuple[int, Hit]]:
        if self._config.secrets:
            for index in self._tokens.worth_a_look(texts.data, texts.ends):
                for hit in self._tokens.hits(texts.views[index]):
                    yield index, hit
            yield from _located(texts, self._assignments.hits(texts.data))
            for index, name in enumerate(names):
                field = self._field_hit(name, texts.views[index]) if name else None
                if field is not None:
                    yield index, field
            for index, view in enumerate(texts.views):
                if texts.raws[index] is not view and view[:1] in (b"{", b"["):
                    for hit in self._json_hits(texts.raws[index], view):
                        yield index, hit
        if self._config.personal:
            yield from _located(texts, self._personal.hits(texts.data))

    def _field_hit(self, name: str, view: bytes) -> Hit | None:
        if not _may_be_secret_name(name):
            return None
        kind = self._assignments.field_kind(name, view)
        return None if kind is None else Hit(0, len(view), kind[1], kind[0], view)

    def _json_hits(self, raw: bytes, view: bytes) -> Iterator[Hit]:
        """Secret fields of a JSON text whose values hold quotes of their own, which nothing but a parser
        tells from the end of the value."""
        if _NAME_HINT.search(view) is None:
            return
        try:
            layout = lay_out(orjson.loads(raw), RAW_SHAPE)
        except orjson.JSONDecodeError:
            return
        for name, text in zip(layout.names, layout.texts, strict=True):
            if '"' in text or "'" in text:
                value = decoded(text.encode("utf-8", "surrogatepass")).data
                field = self._field_hit(name, value)
                start = view.find(value) if field is not None else -1
                if field is not None and start >= 0:
                    yield field._replace(start=start, end=start + len(value))


def spread(texts: Texts, values: Mapping[bytes, tuple[str, int]]) -> dict[int, list[Hit]]:
    """Where values found once stand again, also with the characters of a URL escaped.

    Args:
        texts: views with escapes resolved.
        values: kind and rank of each value.
    """
    forms: dict[bytes, bytes] = {}
    for value, (_, rank) in values.items():
        if rank < PERSONAL_RANK and _worth_spreading(value):
            forms[value] = value
            forms.setdefault(_url_escaped(value), value)
    found: dict[int, list[Hit]] = {}
    for pattern in _patterns_for(sorted(forms, key=lambda form: (-len(form), form))):
        for match in pattern.finditer(texts.data):
            value = forms[texts.data[match.start() : match.end()]]
            if len(value) < _SHORTEST_INSIDE and _inside_word(texts.data, match.start(), match.end()):
                continue
            kind, rank = values[value]
            for index, hit in _located(texts, [Hit(match.start(), match.end(), rank, kind, value)]):
                found.setdefault(index, []).append(hit)
    return found


def settled(texts: Texts, found: Mapping[int, Iterable[Hit]]) -> dict[int, list[Hit]]:
    """Hits made disjoint, those on placeholders dropped, values filled in; texts without hits left out."""
    result: dict[int, list[Hit]] = {}
    for index in sorted(found):
        view = texts.views[index]
        hits = disjoint(without_placeholders(view, found[index]))
        if hits:
            result[index] = [hit._replace(value=hit.value or view[hit.start : hit.end]) for hit in hits]
    return result


@lru_cache(maxsize=4)
def detector_for(config: RedactionConfig) -> Detector:
    """The detector of a configuration, built once per process."""
    return Detector(config)


_NAME_HINT = compile_linear(r"(?i)access|auth|api|cred|key|pass|pwd|pw|secret|token|bearer|contrase|kennwort")


@lru_cache(maxsize=4096)
def _may_be_secret_name(name: str) -> bool:
    """Could a field of this name hold a secret? Vendors' own field names always say key, token or secret."""
    return len(name) <= 80 and _NAME_HINT.search(name.encode("utf-8", "surrogatepass")) is not None


def _located(texts: Texts, hits: Iterable[Hit]) -> Iterator[tuple[int, Hit]]:
    for hit in hits:
        place = texts.local(hit)
        if place is not None:
            yield place


def _worth_spreading(value: bytes) -> bool:
    """Is a value so unlike a word that it means the same wherever it stands?"""
    if not _SHORTEST_SPREAD <= len(value) <= _LONGEST_SPREAD:
        return False
    has_digit = any(48 <= char <= 57 for char in value)
    kinds = character_kinds(value)
    return (has_digit and kinds >= 2) or kinds >= 3 or (len(value) >= 16 and entropy(value) >= 3.0)


def _url_escaped(value: bytes) -> bytes:
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
    return b"".join(bytes((char,)) if char in plain else b"%%%02X" % char for char in value)


def _patterns_for(forms: Sequence[bytes]) -> Iterator[BytesPattern]:
    chunk: list[str] = []
    size = 0
    for form in forms:
        if size + len(form) > _LARGEST_PATTERN:
            yield compile_linear("|".join(chunk))
            chunk, size = [], 0
        chunk.append(literal(form))
        size += len(form)
    if chunk:
        yield compile_linear("|".join(chunk))


def _inside_word(data: bytes, start: int, end: int) -> bool:
    before = start > 0 and data[start - 1 : start].isalnum() and data[start : start + 1].isalnum()
    return before or (data[end : end + 1].isalnum() and data[end - 1 : end].isalnum())
