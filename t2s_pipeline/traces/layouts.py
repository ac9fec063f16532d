"""How a file falls into records. A format picks one of these for its `records`.

Every layout streams: what is in memory is the current record, and a record above the limit becomes a
`Damage` that names it, without being loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.format import Damage, RawRecord, SourceFile
from t2s_pipeline.traces.splitting import CHUNK_BYTES, Broken, Member, Scanner
from t2s_pipeline.traces.strictness import parse

BOM = b"\xef\xbb\xbf"


def lines(source: SourceFile) -> Iterator[RawRecord | Damage]:
    """JSONL: each line that is not blank is a record."""
    limit = source.limit
    with source.path.open("rb") as stream:
        number = 0
        offset = 0
        while line := stream.readline(limit + 1):
            number += 1
            fragment = f"L{number}"
            start, offset = offset, offset + len(line)
            if len(line) > limit and not line.endswith(b"\n"):
                size, digest = _skip_line(stream, line)
                offset = start + size
                yield Damage(fragment, too_large("line", size, limit), digest)
                continue
            if number == 1 and line.startswith(BOM):
                line, start = line[len(BOM) :], len(BOM)
            if record := line.strip():
                yield RawRecord(fragment, record, offset=start + line.index(record[:1]))


def session(source: SourceFile) -> Iterator[RawRecord | Damage]:
    """JSONL: the whole file is one record."""
    size = source.path.stat().st_size
    if size > source.limit:
        yield Damage("", too_large("session", size, source.limit))
        return
    yield RawRecord("", source.path.read_bytes().removeprefix(BOM), lines=True)


def document(source: SourceFile) -> Iterator[RawRecord | Damage]:
    """JSON: the whole file is one record."""
    size = source.path.stat().st_size
    if size > source.limit:
        yield Damage("", too_large("document", size, source.limit))
        return
    yield RawRecord("", source.path.read_bytes().removeprefix(BOM).strip())


def members(source: SourceFile) -> Iterator[RawRecord | Damage]:
    """JSON: each element of the top list, or each value of the top object, is a record."""
    with source.path.open("rb") as stream:
        found = Scanner(_after_bom(stream), source.limit).members()
        yield from _records(found, "", source.limit, {})


def members_of(source: SourceFile, key: str, header_keys: Collection[str]) -> Iterator[RawRecord | Damage]:
    """JSON: each element of the list under a top key is a record; some other keys are its header.

    The file is walked twice, because the header may stand behind the list."""
    header: dict[str, Any] = {}
    with source.path.open("rb") as stream:
        for member in Scanner(_after_bom(stream), source.limit).members():
            if isinstance(member, Member) and member.key in header_keys and member.raw is not None:
                header[member.key] = parse(member.raw)[0]
    with source.path.open("rb") as stream:
        found = Scanner(_after_bom(stream), source.limit).members_under(key)
        yield from _records(found, f"/{key}", source.limit, header)


def whichever(source: SourceFile) -> Iterator[RawRecord | Damage]:
    """One conversation per line, per element, or per file, as the file's shape says."""
    if source.head.shape == "lines" or (source.head.shape == "object" and source.head.one_line):
        return lines(source)
    return members(source) if source.head.shape == "list" else document(source)


def parse_session(raw: bytes) -> tuple[list[tuple[int, dict[str, Any]]], list[Damage]]:
    """The objects of a JSONL session with their line numbers, and the lines that are none."""
    good: list[tuple[int, dict[str, Any]]] = []
    bad: list[Damage] = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value, _ = parse(line)
        except TraceError as error:
            bad.append(Damage(f"L{number}", str(error), sha256_of(line.strip())))
            continue
        if isinstance(value, dict):
            good.append((number, value))
        else:
            reason = f"the line is not a JSON object but {type(value).__name__}"
            bad.append(Damage(f"L{number}", reason, sha256_of(line.strip())))
    return good, bad


def sha256_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def too_large(what: str, size: int, limit: int) -> str:
    return (
        f"a single {what} of {size / 2**20:.0f} MB is above the limit of {limit >> 20} MB "
        "(raise max_record_mb to read it)"
    )


def _records(
    found: Iterator[Member | Broken], pointer: str, limit: int, header: dict[str, Any]
) -> Iterator[RawRecord | Damage]:
    for member in found:
        fragment = f"{pointer}/{member.key.replace('~', '~0').replace('/', '~1')}"
        if isinstance(member, Broken):
            yield Damage(fragment, member.reason)
        elif member.raw is None:
            yield Damage(fragment, too_large("record", member.size, limit))
        else:
            yield RawRecord(fragment, member.raw, header=header)


def _after_bom(stream: BinaryIO) -> BinaryIO:
    if stream.read(len(BOM)) != BOM:
        stream.seek(0)
    return stream


def _skip_line(stream: BinaryIO, start: bytes) -> tuple[int, str]:
    """Reads to the end of the line; its size in bytes and its hash."""
    digest = hashlib.sha256(start)
    size = len(start)
    while chunk := stream.readline(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return size, digest.hexdigest()
