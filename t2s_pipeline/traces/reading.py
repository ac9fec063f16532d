"""A trace file in, `TraceRecord`s and `Quarantined`s out: every record of the file becomes one of the two."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from atif import Trajectory
from pydantic import ValidationError

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.format import (
    OMITTED,
    SHAPE_ERRORS,
    Converted,
    Damage,
    Format,
    Head,
    RawRecord,
    Record,
    SourceFile,
)
from t2s_pipeline.traces.formats import recognise
from t2s_pipeline.traces.layouts import parse_session, sha256_of, too_large
from t2s_pipeline.traces.record import Quarantined, Source, TraceRecord, short_name, trace_id_for
from t2s_pipeline.traces.redact import Redactor
from t2s_pipeline.traces.sniffing import look_at
from t2s_pipeline.traces.strictness import REPAIRED, parse

UNREADABLE = (
    *SHAPE_ERRORS,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What a damaged file makes our code or a library raise, where no TraceError says it better: this file is set
aside, and every other one is read.
"""

_REASON_LENGTH = 500
"""Characters of a reason."""

Redaction = Callable[[TraceRecord], TraceRecord]
"""Takes what must not be kept out of a record."""


def unchanged(record: TraceRecord) -> TraceRecord:
    """The redaction that hides nothing."""
    return record


def read_file(
    path: Path,
    *,
    skill: str,
    uri: str,
    settings: Settings,
    first_record: int = 0,
    records: int | None = None,
    redact: Redaction = unchanged,
) -> Iterator[TraceRecord | Quarantined]:
    """The traces of one file, in order, from `first_record` on and at most `records` of them.

    `redact` sees every record before anything else does.

    A file that cannot be read at all gives one Quarantined. Records outside the wanted range are not
    converted, but are still looked at for contradicting ids, so that the answer does not depend on how a
    file is cut into slices.
    """
    for _, item in numbered_records(
        path,
        skill=skill,
        uri=uri,
        settings=settings,
        first_record=first_record,
        records=records,
        redact=redact,
    ):
        yield item


def numbered_records(
    path: Path,
    *,
    skill: str,
    uri: str,
    settings: Settings,
    first_record: int = 0,
    records: int | None = None,
    redact: Redaction = unchanged,
) -> Iterator[tuple[int, TraceRecord | Quarantined]]:
    """Like `read_file`, with the ordinal of the record each item came from (a session with broken lines
    gives several items with one ordinal)."""
    stop = None if records is None else first_record + records
    try:
        opened = open_source(path, settings)
    except (TraceError, OSError, *UNREADABLE) as error:
        if first_record == 0:
            yield 0, _set_aside(skill, uri, reason_of(error), settings)
        return
    reader = _Reader(*opened, skill=skill, uri=uri, redact=redact)
    index = -1
    try:
        for index, found in enumerate(reader.format.records(reader.source)):
            if stop is not None and index >= stop:
                return
            wanted = index >= first_record
            for item in reader.items(found, wanted=wanted):
                yield index, item
    except (TraceError, OSError) as error:
        yield index + 1, _set_aside(skill, uri, reason_of(error), settings)
        return
    except UNREADABLE as error:
        reason = f"not in the shape of this format ({reader.format.title}): {type(error).__name__} {error}"
        yield index + 1, _set_aside(skill, uri, reason, settings)
        return
    if index < 0 and first_record == 0:
        yield 0, _set_aside(skill, uri, "the file holds no records", settings)


def count_records(path: Path, settings: Settings) -> int:
    """How many records `read_file` would find; 1 for a file that would be quarantined as a whole."""
    try:
        found, source = open_source(path, settings)
        return 1 if found.session else max(1, sum(1 for _ in found.records(source)))
    except (TraceError, OSError, *UNREADABLE):
        return 1


def open_source(path: Path, settings: Settings) -> tuple[Format, SourceFile]:
    """The format of a file and the file ready to be read. Raises TraceError or OSError with the reason."""
    head = look_at(path, settings)
    found = recognise(head)
    if found is not None:
        return found, SourceFile(path, head, settings)
    size, limit = path.stat().st_size, settings.max_record_mb << 20
    if size > limit and OMITTED in head.fields.values():
        raise TraceError(too_large("document", size, limit))
    raise TraceError(head.broken or _unknown(head))


def reason_of(error: Exception) -> str:
    """What went wrong, for a person."""
    if isinstance(error, PermissionError):
        return "permission denied: this user may not read the file"
    if isinstance(error, FileNotFoundError):
        return "the file is gone (removed or renamed since it was found)"
    if isinstance(error, OSError):
        return f"the file cannot be read: {error.strerror or error}"
    if isinstance(error, TraceError):
        return str(error)
    return f"the file cannot be read: {type(error).__name__} {error}"[:500]


class _Reader:
    """Turns the raw records of one file into traces; remembers the ids seen in it."""

    def __init__(self, found: Format, source: SourceFile, *, skill: str, uri: str, redact: Redaction) -> None:
        self.format = found
        self.source = source
        self._skill = skill
        self._uri = uri
        self._redact = redact
        self._identities: dict[str, tuple[str, str]] = {}

    def items(self, found: RawRecord | Damage, *, wanted: bool) -> Iterator[TraceRecord | Quarantined]:
        if isinstance(found, Damage):
            if wanted:
                yield self._quarantined(found)
            return
        warnings: tuple[str, ...] = ()
        damages: list[Damage] = []
        sha256 = sha256_of(found.raw)
        try:
            value: Any
            if found.lines:
                value, damages = parse_session(found.raw)
            else:
                value, repaired = parse(found.raw)
                warnings = (REPAIRED,) if repaired else ()
                if not found.fragment.startswith("L"):
                    sha256 = sha256_of(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
            record = Record(value, found.fragment, found.header, self.source)
            identity = self.format.identity(record)
            self._check_identity(identity, found.fragment, sha256)
            if wanted:
                converted = self.format.convert(record)
                yield self._trace(converted, identity, found.fragment, sha256, warnings)
        except ValidationError as error:
            reason = f"does not fit a trace: {_first_problem(error)}"
            damages = [*damages, Damage(found.fragment, reason, sha256)]
        except TraceError as error:
            damages = [*damages, Damage(found.fragment, str(error), sha256)]
        except SHAPE_ERRORS as error:
            reason = f"not in the shape of this format ({self.format.title}): {type(error).__name__} {error}"
            damages = [*damages, Damage(found.fragment, reason[:500], sha256)]
        if wanted:
            yield from map(self._quarantined, damages)

    def _trace(
        self,
        converted: Converted,
        identity: str | None,
        fragment: str,
        sha256: str,
        warnings: tuple[str, ...],
    ) -> TraceRecord:
        trajectory = converted.trajectory
        if not trajectory["steps"]:
            raise TraceError("the trace has no steps")
        if identity is not None and trajectory.get("session_id") is None:
            trajectory["session_id"] = identity
        own = (
            sha256_of(f"{converted.named_by_file}\x00{sha256}".encode())
            if converted.named_by_file
            else sha256
        )
        trace = TraceRecord(
            trace_id=trace_id_for(self._skill, own),
            skill=self._skill,
            task_id=converted.task_id and short_name(converted.task_id),
            trial=converted.trial and short_name(converted.trial),
            agent=short_name(converted.agent or "unknown"),
            source=Source(
                format=self.format.name,
                format_version=converted.format_version,
                uri=self._at(fragment),
                sha256=sha256,
                warnings=tuple(dict.fromkeys((*warnings, *converted.warnings))),
            ),
            outcome=converted.outcome,
            usage=converted.usage,
            trajectory=Trajectory.model_validate(trajectory),
        )
        # The one place where a trace leaves its file. Its id is that of the bytes before redaction.
        return self._redact(trace)

    def _check_identity(self, identity: str | None, fragment: str, sha256: str) -> None:
        if identity is None:
            return
        before, where = self._identities.setdefault(identity, (sha256, fragment))
        if before != sha256:
            raise TraceError(
                f"the id {identity!r} was already used at {where} of this file with other content"
            )

    def _quarantined(self, damage: Damage) -> Quarantined:
        place, settings = self._at(damage.fragment), self.source.settings
        return _set_aside(self._skill, place, damage.reason, settings, sha256=damage.sha256)

    def _at(self, fragment: str) -> str:
        return f"{self._uri}#{fragment}" if fragment else self._uri


def _set_aside(
    skill: str, uri: str, reason: str, settings: Settings, *, sha256: str | None = None
) -> Quarantined:
    """What could not be read, and why. A reason may cite an id or a key, which may be a secret."""
    shown, _ = Redactor(settings.redaction, b"").redact_text(reason[: 2 * _REASON_LENGTH])
    return Quarantined(skill=skill, uri=uri, sha256=sha256, reason=shown[:_REASON_LENGTH])


def _first_problem(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"[:500]


def _unknown(head: Head) -> str:
    keys: list[str] = []
    for sample in head.objects()[:1]:
        keys = [str(key) for key in list(sample)[:8]]
    if keys:
        return f"not a known trace format (its keys: {', '.join(keys)})"
    if head.shape in ("list", "object") and not head.samples and not head.fields:
        return "the file holds no records"
    if head.shape == "zip":
        return "a zip archive that is not an evaluation log"
    return "not a known trace format"
