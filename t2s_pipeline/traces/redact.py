"""Redaction: the first thing that happens to a trace, before anything else reads its text.

Secrets and personal values are replaced by placeholders such as `<SECRET:aws-access-key:1>`. Within one
trace equal values get equal placeholders, numbered per kind in order of first occurrence, so the trace
stays readable and its placeholders do not depend on which other traces were read before. A value found
once (by the name it was assigned to, say) is hidden wherever else it stands in that trace.

What was hidden is reported as salted fingerprints; `rescan` finds it again in a produced skill.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from atif import Trajectory
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline.traces.redaction.boundaries import bare_numbers, within_strings
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.detect import Detector, Texts, detector_for, settled, spread
from t2s_pipeline.traces.redaction.escapes import View, decoded
from t2s_pipeline.traces.redaction.fingerprints import fingerprints, known_spans
from t2s_pipeline.traces.redaction.spans import PLACEHOLDER, Hit, placeholder
from t2s_pipeline.traces.redaction.tree import ATIF_SHAPE, RAW_SHAPE, Shape, lay_out, with_texts

_MOST_ROUNDS = 24
"""Hiding one value can uncover the edge of another, so texts that changed are read again until nothing is
found. A text in which that does not end is hidden as a whole: nobody writes such a text in good faith."""
_WHOLE_TEXT = "text"
_UNICODE_ESCAPE = re.compile(rb"\\u[0-9A-Fa-f]{4}")
_ESCAPE_BYTES = 6


class RedactedValue(BaseModel):
    """One hidden value, remembered without keeping it."""

    model_config = ConfigDict(frozen=True)

    kind: str
    fingerprint: str
    """HMAC-SHA-256 under the salt of the data root, hexadecimal."""


class RedactionReport(BaseModel):
    """What was hidden in one trace."""

    model_config = ConfigDict(frozen=True)

    counts: dict[str, int] = {}
    """Distinct values per kind."""
    occurrences: int = 0
    """Places in which something was hidden."""
    values: tuple[RedactedValue, ...] = ()


class RescanHit(BaseModel):
    """Something in a produced text that must not be there. The value itself is not repeated."""

    model_config = ConfigDict(frozen=True)

    line: int
    """1-based."""
    kind: str
    known: bool
    """True: a value that was redacted from a trace; False: a rule matched."""


class Redactor:
    """Redacts records and JSON values under one configuration. Cheap to construct."""

    def __init__(self, config: RedactionConfig, salt: bytes) -> None:
        self._config = config
        self._salt = salt

    def redact(self, record: TraceRecord) -> tuple[TraceRecord, RedactionReport]:
        """A record without secrets; the very same object when there is nothing to hide.

        Read and replaced: every string of the trajectory (messages, reasoning, keys and values of tool
        arguments, observations, extras), the outcome's detail and the warnings of the source. Ids that
        pair calls with results, times and the task id are left as they are.
        """
        body = {
            "trajectory": record.trajectory,
            "detail": record.outcome.detail,
            "warnings": record.source.warnings,
        }
        clean, report = self._redacted(body, ATIF_SHAPE)
        if not report.occurrences:
            return record, report
        changes = {
            "trajectory": Trajectory.model_validate(clean["trajectory"]),
            "outcome": record.outcome.model_copy(update={"detail": clean["detail"]}),
            "source": record.source.model_copy(update={"warnings": tuple(clean["warnings"])}),
        }
        return record.model_copy(update=changes), report

    def redact_json(self, value: Any) -> tuple[Any, RedactionReport]:
        """A JSON value (as `orjson.loads` gives it) without secrets, for importers that want to redact a
        record before they interpret it. The given value is not changed."""
        clean, report = self._redacted(value, RAW_SHAPE)
        return (clean, report) if report.occurrences else (value, report)

    def redact_text(self, text: str) -> tuple[str, RedactionReport]:
        """One text without secrets."""
        clean, report = self._redacted(text, RAW_SHAPE)
        return str(clean), report

    def _redacted(self, value: Any, shape: Shape) -> tuple[Any, RedactionReport]:
        layout = lay_out(value, shape)
        keys = list(layout.keys)
        hiding = _Hiding(detector_for(self._config), [*layout.texts, *keys], layout.names)
        hiding.run()
        if not hiding.occurrences:
            return value, RedactionReport()
        texts = hiding.texts
        split = len(layout.texts)
        renamed = {old: new for old, new in zip(keys, texts[split:], strict=True) if new != old}
        return with_texts(value, shape, texts[:split], renamed), hiding.report(self._salt)


def rescan(text: str, known: Collection[str], config: RedactionConfig, salt: bytes) -> list[RescanHit]:
    """What of a produced text must not be published; empty when it is clean.

    Args:
        text: the whole text of one file of a skill.
        known: fingerprints of everything redacted so far.
        config: the configuration the traces were redacted with.
        salt: the salt of the data root.
    """
    raw = _encoded(text)
    view = decoded(raw)
    spans = [(start, "known", True) for start, _ in known_spans(view.data, known, salt)]
    texts = Texts([view.data], [raw])
    for hits in settled(texts, detector_for(config).hits(texts)).values():
        spans += [(hit.start, hit.kind, False) for hit in hits]
    lines = sorted({(raw.count(b"\n", 0, view.origin(start)) + 1, kind, seen) for start, kind, seen in spans})
    return [RescanHit(line=line, kind=kind, known=seen) for line, kind, seen in lines]


class _Hiding:
    """The state of one redaction: the texts as they become, and the number of each value."""

    def __init__(self, detector: Detector, texts: Sequence[str], names: Sequence[str]) -> None:
        self.occurrences = 0
        self._detector = detector
        self._raws = [_encoded(text) for text in texts]
        self._names = [*names, *[""] * (len(texts) - len(names))]
        self._changed: set[int] = set()
        self._original = texts
        self._kinds: dict[bytes, tuple[str, int]] = {}
        self._numbers: dict[bytes, int] = {}
        self._next: Counter[str] = Counter()

    @property
    def texts(self) -> list[str]:
        """The texts as they are now, in the order given."""
        return [
            self._raws[index].decode("utf-8", "surrogatepass") if index in self._changed else text
            for index, text in enumerate(self._original)
        ]

    def run(self) -> None:
        """Hide until nothing is found any more."""
        views = [decoded(raw).data if b"\\" in raw else raw for raw in self._raws]
        active: Sequence[int] = range(len(views))
        for last in (False,) * _MOST_ROUNDS + (True,):
            texts = Texts([views[index] for index in active], [self._raws[index] for index in active])
            hits = self._detector.hits(texts, [self._names[index] for index in active])
            if not hits:
                return
            found = {active[place]: each for place, each in hits.items()}
            if last:
                found = {index: [_whole(views[index])] for index in found}
            if not self._changed:
                self._reserve_numbers(texts.data)
            everywhere = texts if len(active) == len(views) else Texts(views)
            for index, more in spread(everywhere, self._fresh(found)).items():
                found.setdefault(index, []).extend(more)
            active = sorted(found)
            for index, each in (found if last else settled(everywhere, found)).items():
                self._raws[index] = self._replaced(self._raws[index], each)
                views[index] = decoded(self._raws[index]).data
            self._changed.update(active)

    def report(self, salt: bytes) -> RedactionReport:
        """What was hidden so far, values as fingerprints."""
        counts = Counter(self._kinds[value][0] for value in self._numbers)
        values = {
            (kind, each) for value, (kind, _) in self._kinds.items() for each in fingerprints(value, salt)
        }
        return RedactionReport(
            counts=dict(sorted(counts.items())),
            occurrences=self.occurrences,
            values=tuple(RedactedValue(kind=kind, fingerprint=each) for kind, each in sorted(values)),
        )

    def _fresh(self, found: Mapping[int, Sequence[Hit]]) -> dict[bytes, tuple[str, int]]:
        """Values not seen before, each with the most specific kind it was found as."""
        fresh: dict[bytes, tuple[str, int]] = {}
        for hit in (hit for hits in found.values() for hit in hits):
            if hit.value not in self._kinds:
                known = fresh.get(hit.value)
                if known is None or hit.rank < known[1]:
                    fresh[hit.value] = (hit.kind, hit.rank)
        self._kinds.update(fresh)
        return fresh

    def _reserve_numbers(self, data: bytes) -> None:
        """Numbers of placeholders that stand in the texts already are not given again."""
        if b"<SECRET:" in data or b"<PERSONAL:" in data:
            for match in PLACEHOLDER.finditer(data):
                kind, number = (match.group(1) or b"").decode(), int(match.group(2) or b"0")
                self._next[kind] = max(self._next[kind], number)

    def _placeholder(self, hit: Hit) -> bytes:
        kind, rank = self._kinds.setdefault(hit.value, (hit.kind, hit.rank))
        if hit.value not in self._numbers:
            self._next[kind] += 1
            self._numbers[hit.value] = self._next[kind]
        return placeholder(kind, rank, self._numbers[hit.value]).encode()

    def _replaced(self, raw: bytes, hits: Sequence[Hit]) -> bytes:
        view = decoded(raw)
        parts = within_strings(raw, [_whole_characters(raw, view, hit) for hit in hits])
        quotes = bare_numbers(raw, [(start, end) for start, end, _ in parts])
        pieces: list[bytes] = []
        last = 0
        for start, end, index in parts:
            quote = quotes.get((start, end), b"")
            pieces += (raw[last:start], quote, self._placeholder(hits[index]), quote)
            last = max(last, end)
            self.occurrences += 1
        return b"".join((*pieces, raw[last:]))


def _whole(view: bytes) -> Hit:
    return Hit(0, len(view), 0, _WHOLE_TEXT, view)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _whole_characters(raw: bytes, view: View, hit: Hit) -> tuple[int, int]:
    """The span of a hit in the text as it stands, widened so that no character is cut: neither a sequence
    of UTF-8 nor an escape like `\\u672c`, whose letters and digits look like the beginning of a word."""
    start, end = view.origin(hit.start), view.origin(hit.end)
    while start > 0 and raw[start] & 0xC0 == 0x80:
        start -= 1
    while end < len(raw) and raw[end] & 0xC0 == 0x80:
        end += 1
    return _escape_around(raw, start)[0], _escape_around(raw, end)[1]


def _escape_around(raw: bytes, offset: int) -> tuple[int, int]:
    """Where the escape that an offset would cut begins and ends; the offset itself where it cuts none."""
    backslash = raw.rfind(b"\\", max(0, offset - _ESCAPE_BYTES), offset)
    match = _UNICODE_ESCAPE.match(raw, backslash) if backslash >= 0 else None
    if match is None or match.end() <= offset:
        return offset, offset
    while backslash > 0 and raw[backslash - 1 : backslash] == b"\\":
        backslash -= 1
    return backslash, match.end()
