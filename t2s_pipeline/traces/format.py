"""What a trace format is: the protocol each file in `formats/` implements, and what passes through it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.record import Outcome, Usage

ATIF_VERSION = "ATIF-v1.8"

Json = dict[str, Any]

Shape = Literal["lines", "list", "object", "zip"]


class _Omitted:
    """Stands for a value that was too large to look at while recognising a file."""


OMITTED = _Omitted()


@dataclass(frozen=True)
class Head:
    """What is known of a file before it is read: enough to tell its format from its content."""

    name: str
    """File name; a hint only."""
    shape: Shape
    samples: tuple[Any, ...] = ()
    """First parsed lines (JSONL), elements (a list), or the document itself (an object on one line)."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Object: its first keys; values that are very large are `OMITTED`."""
    members: tuple[str, ...] = ()
    """Zip: the names inside."""
    one_line: bool = False
    """The file is a single line."""
    broken: str | None = None
    """What is wrong with the document where it could be looked at only in part."""

    def objects(self) -> list[Json]:
        """The samples that are JSON objects, or the document itself when it is one object."""
        if self.shape == "object":
            return [dict(self.fields)]
        return [sample for sample in self.samples if isinstance(sample, dict)]


@dataclass(frozen=True)
class SourceFile:
    """A file being read: where it is, what it looks like, and how much of it may be held at once."""

    path: Path
    head: Head
    settings: Settings

    @property
    def limit(self) -> int:
        """Largest record in bytes."""
        return self.settings.max_record_mb << 20


@dataclass(frozen=True)
class RawRecord:
    """One record of a file, not parsed yet (skipping it must be cheap)."""

    fragment: str
    """`L12`, `/3`, or empty when the file is the record."""
    raw: bytes
    lines: bool = False
    """The record is a whole JSONL session: it is parsed to a list of objects, line by line."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """What the container says about all its records."""
    offset: int = 0
    """Of the first byte in the file, for a line."""


@dataclass(frozen=True)
class Damage:
    """A place in a file that cannot become a record, and why."""

    fragment: str
    reason: str
    sha256: str | None = None


@dataclass(frozen=True)
class Record:
    """One parsed record and where it came from."""

    value: Any
    """The JSON value; for a session file the list of its (line number, object)."""
    fragment: str
    header: Mapping[str, Any]
    source: SourceFile


@dataclass(frozen=True)
class Converted:
    """What a format made of one record; `trajectory` is an ATIF document, still a plain dict."""

    trajectory: Json
    outcome: Outcome = field(default_factory=Outcome)
    usage: Usage = field(default_factory=Usage)
    task_id: str | None = None
    trial: str | None = None
    agent: str = "unknown"
    named_by_file: str = ""
    """What tells this trace from one with the same bytes in another file, where only the file's name says
    so (the agent, mostly); part of the trace's id."""
    format_version: str | None = None
    warnings: tuple[str, ...] = ()


class Format(Protocol):
    """One kind of trace file. A module in `formats/` holds one as `FORMAT`; nothing else names it."""

    name: str
    title: str
    """What a person calls it: `Claude Code session`."""
    session: bool = False
    """A file is one trace (a session) and not a container of traces."""

    def recognises(self, head: Head) -> int:
        """0: not this format. Up to 100: sure. The highest answer wins, ties go by name."""
        ...

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        """The records of the file in order, unparsed; memory follows the largest one."""
        ...

    def convert(self, record: Record) -> Converted:
        """One parsed record as a trace. Raises TraceError with a reason a person understands."""
        ...

    def is_side_file(self, path: Path) -> bool:  # noqa: ARG002
        """Whether a file belongs to a trace of this format beside it and is no trace itself."""
        return False

    def companions(self, path: Path) -> Sequence[Path]:  # noqa: ARG002
        """Other files that the traces of this file are read from; when they change it is read again."""
        return ()

    def identity(self, record: Record) -> str | None:  # noqa: ARG002
        """The record's own id in its file, where the producer gave one. Two records of a file with one
        identity and different content contradict each other."""
        return None


SHAPE_ERRORS = (LookupError, TypeError, ValueError, AttributeError, RecursionError, ArithmeticError)
"""What code that walks JSON of an unforeseen shape raises: the record is not what the format expects."""

DRIFT = "unknown key"
"""Start of every warning about a key the importer does not know: the producer's schema may have moved."""

OPEN_CALL = "a tool call has no result"
"""Warning of a trace in which something is missing after a call, before its end."""


def unknown_keys(where: str, found: Collection[str], known: frozenset[str]) -> list[str]:
    """One warning per key of `found` that the importer does not know."""
    return [f"{DRIFT} `{key}` in {where}" for key in sorted(set(found) - known)]
