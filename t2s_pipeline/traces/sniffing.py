"""Looks at the start of a file and says what it is, or why it is no trace."""

from __future__ import annotations

import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.format import OMITTED, Head
from t2s_pipeline.traces.layouts import BOM
from t2s_pipeline.traces.splitting import Broken, Scanner
from t2s_pipeline.traces.strictness import parse

WINDOW_BYTES = 1 << 20
"""How much of the start is looked at for encoding and lines."""

SAMPLES = 64
"""Lines looked at: a session may open with many lines of bookkeeping."""

MEMBERS = 8
"""Elements of a container looked at."""

KEYS = 64
"""Keys of a top-level object looked at."""

_BINARY_STARTS = {
    b"\x1f\x8b": "gzip-compressed: unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd-compressed: unpack it first",
    b"BZh": "bzip2-compressed: unpack it first",
    b"\xfd7zXZ": "xz-compressed: unpack it first",
    b"SQLite format 3": "an SQLite database, not a trace export",
    b"PAR1": "a Parquet file, not a trace export",
    b"%PDF": "a PDF, not a trace",
    b"\x89PNG": "an image, not a trace",
}
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b")


def look_at(path: Path, settings: Settings) -> Head:
    """What the content of a file looks like. Raises TraceError when it can be no trace file; OSError
    when it cannot be opened."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise TraceError("not a regular file")
    with path.open("rb") as stream:
        window = stream.read(WINDOW_BYTES)
        if not window.strip():
            raise TraceError("the file holds only white space" if window else "the file is empty")
        if window.startswith(b"PK\x03\x04"):
            return _zip_head(path)
        _refuse_binary(window)
        text, whole = _whole_lines(window.removeprefix(BOM).lstrip(), stream, settings.max_record_mb << 20)
    head = _lines_head(path, text, whole) or _document_head(path, settings)
    return replace(head, one_line=whole and b"\n" not in text.strip())


def _whole_lines(window: bytes, stream: BinaryIO, limit: int) -> tuple[bytes, bool]:
    """The window cut or extended so that it ends with a line, and whether it is all of the file; a first
    line above the limit is left out."""
    parts = [window]
    size = len(window)
    while b"\n" not in parts[-1] and (chunk := stream.read(WINDOW_BYTES)):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            return _after_line(stream), False
    window = b"".join(parts)
    if stream.read(1):
        return window[: window.rfind(b"\n") + 1], False
    return window, True


def _after_line(stream: BinaryIO) -> bytes:
    """Whole lines from behind the end of the current line."""
    while (line := stream.readline(WINDOW_BYTES)) and not line.endswith(b"\n"):
        pass
    window = stream.read(WINDOW_BYTES)
    return window[: window.rfind(b"\n") + 1] or window


def _refuse_binary(window: bytes) -> None:
    for start, what in _BINARY_STARTS.items():
        if window.startswith(start):
            raise TraceError(what)
    sample = window[:8192]
    if sample.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        raise TraceError("encoded as UTF-32: convert the file to UTF-8")
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TraceError("encoded as UTF-16: convert the file to UTF-8")
    if sample.startswith((b'{"', b"[{")):
        return  # text at its start: damage further on is reported where it is
    zeros = sample.count(0)
    if zeros > len(sample) // 4 and (not any(sample[0:64:2]) or not any(sample[1:64:2])):
        raise TraceError("encoded as UTF-16 without a byte order mark: convert the file to UTF-8")
    controls = len(sample) - len(sample.translate(None, _CONTROL))
    if zeros > 8 or controls > len(sample) // 20 or not sample.strip(b"\x00"):
        raise TraceError("a binary file, not a text trace")


def _zip_head(path: Path) -> Head:
    try:
        with zipfile.ZipFile(path) as archive:
            return Head(path.name, "zip", members=tuple(archive.namelist()[:1000]))
    except (zipfile.BadZipFile, OSError) as error:
        raise TraceError(f"a damaged zip archive: {error}") from error


def _lines_head(path: Path, text: bytes, whole: bool) -> Head | None:
    """The head of a file in which lines are records, or None when the file is one document.

    A document may be pretty-printed over many lines, and a JSONL file may begin with a broken line: what
    decides is whether lines on their own are JSON objects."""
    found = [line.strip() for line in text.split(b"\n", SAMPLES)[:SAMPLES] if line.strip()]
    if not found or found[0] in (b"[", b"{"):
        return None
    first = _parsed(found[0])
    if len(found) == 1 and whole and first is not None:
        return None
    # Lines inside a pretty-printed document are indented or end with a comma; those of JSONL do neither.
    values = [_parsed(line) for line in found if line.startswith(b"{") and line.endswith(b"}")]
    samples = tuple(value for value in values if isinstance(value, dict) and value)
    if not samples or (found[0].startswith(b"[") and first is None):
        return None
    return Head(path.name, "lines", samples=samples)


def _document_head(path: Path, settings: Settings) -> Head:
    limit = settings.max_record_mb << 20
    with path.open("rb") as stream:
        if stream.read(len(BOM)) != BOM:
            stream.seek(0)
        scanner = Scanner(stream, limit)
        opening = scanner.opening()
        fields: dict[str, Any] = {}
        broken: str | None = None
        wanted = MEMBERS if opening == b"[" else KEYS
        for member in scanner.members():
            if isinstance(member, Broken):
                broken = _no_document(opening, member.reason)
                break
            try:
                fields[member.key] = OMITTED if member.raw is None else parse(member.raw)[0]
            except TraceError as error:
                fields[member.key] = OMITTED
                broken = broken or str(error)
            if len(fields) >= wanted:
                break
    if broken is not None and not fields:
        raise TraceError(broken)
    if opening == b"[":
        return Head(path.name, "list", samples=tuple(fields.values()), broken=broken)
    return Head(path.name, "object", fields=fields, broken=broken)


def _no_document(opening: bytes, reason: str) -> str:
    if opening not in (b"[", b"{"):
        return "not a known trace format: the file holds neither JSON nor JSON lines"
    if "truncated" in reason:
        return "truncated JSON: the file ends in the middle"
    return f"not valid JSON: {reason}"


def _parsed(raw: bytes) -> Any:
    try:
        return parse(raw)[0]
    except TraceError:
        return None
