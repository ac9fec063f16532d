"""Records that are spread over a file: the spans of one trace, found by their trace id.

A JSONL file is walked twice: first to learn which lines speak about which trace, then to read the lines
of one trace at a time. Memory follows the largest trace and one number per line; lines read last are kept
for the other traces they speak about.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.format import SHAPE_ERRORS, Damage, Json, RawRecord, SourceFile
from t2s_pipeline.traces.layouts import document, lines
from t2s_pipeline.traces.strictness import parse

Grouped = Callable[[Any], Iterator[tuple[str, Json]]]
"""(trace id, span) of each span in a parsed line, element or document."""

_KEPT_BYTES = 8 << 20
"""Bytes of lines that are kept parsed."""


def by_trace(source: SourceFile, spans_in: Grouped) -> Iterator[RawRecord | Damage]:
    """One record per trace id, its value the list of its spans, in order of first appearance."""
    if source.head.shape == "lines":
        yield from _of_lines(source, spans_in)
        return
    for found in document(source):
        if isinstance(found, Damage):
            yield found
            continue
        try:
            value, _ = parse(found.raw)
        except TraceError as error:
            yield Damage("", str(error))
            continue
        traces: dict[str, list[Json]] = {}
        for trace_id, span in spans_in(value):
            traces.setdefault(trace_id, []).append(span)
        for trace_id, spans in traces.items():
            yield _record(trace_id, spans)


def _of_lines(source: SourceFile, spans_in: Grouped) -> Iterator[RawRecord | Damage]:
    places: dict[str, list[tuple[int, int]]] = {}
    damages: list[Damage] = []
    for found in lines(source):
        if isinstance(found, Damage):
            damages.append(found)
            continue
        try:
            value, _ = parse(found.raw)
            ids = dict.fromkeys(one for one, _ in spans_in(value))
        except TraceError as error:
            damages.append(Damage(found.fragment, str(error)))
            continue
        except SHAPE_ERRORS as error:
            damages.append(Damage(found.fragment, f"not in the shape of spans: {type(error).__name__}"))
            continue
        if not ids:
            damages.append(Damage(found.fragment, "the line holds no spans"))
        for trace_id in ids:
            places.setdefault(trace_id, []).append((found.offset, len(found.raw)))
    yield from damages
    with source.path.open("rb") as stream:
        read = _LinesRead(stream, spans_in)
        for trace_id, where in places.items():
            yield _record(
                trace_id, [span for offset, length in where for span in read.at(offset, length)[trace_id]]
            )


class _LinesRead:
    """Parsed lines by their offset, those used last: traces that were exported together share lines."""

    def __init__(self, stream: BinaryIO, spans_in: Grouped) -> None:
        self._stream = stream
        self._spans_in = spans_in
        self._kept: OrderedDict[int, tuple[int, dict[str, list[Json]]]] = OrderedDict()
        self._bytes = 0

    def at(self, offset: int, length: int) -> Mapping[str, list[Json]]:
        """The spans of a line by trace id."""
        if offset not in self._kept:
            self._stream.seek(offset)
            value, _ = parse(self._stream.read(length))
            spans: dict[str, list[Json]] = {}
            for trace_id, span in self._spans_in(value):
                spans.setdefault(trace_id, []).append(span)
            self._kept[offset] = (length, spans)
            self._bytes += length
            while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
                _, (dropped, _) = self._kept.popitem(last=False)
                self._bytes -= dropped
        self._kept.move_to_end(offset)
        return self._kept[offset][1]


def _record(trace_id: str, spans: list[Json]) -> RawRecord:
    return RawRecord(f"trace={trace_id}", orjson.dumps(spans))
