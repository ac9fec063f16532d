"""What one batch becomes: the frames of its rows, made with one trace in memory at a time.

Nothing here writes. A file is read once, however many batches slice it, when they come in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import batch_stage_frame, quarantine_frame, trace_frames
from t2s_pipeline.traces.forgotten import tombstones
from t2s_pipeline.traces.inbox import Batch, FileSlice, refusal
from t2s_pipeline.traces.outcome_files import OutcomeFiles
from t2s_pipeline.traces.reading import Redaction, numbered_records, unchanged
from t2s_pipeline.traces.record import Quarantined, TraceRecord
from t2s_pipeline.traces.version import traces_version

REASONS = 50
"""Quarantine reasons a report carries; the store has all of them."""

PROGRESS_EVERY = 32
"""Records between two calls of `progress`."""

Item = TraceRecord | Quarantined


class IngestReport(BaseModel):
    """What one batch became."""

    model_config = ConfigDict(frozen=True)

    batch: str
    skill: str
    traces: int
    """New in the store."""
    duplicates: int
    """Same bytes as a trace the store (or this batch) already has."""
    quarantined: int
    replaced: int = 0
    """Older versions of sessions and conversations that this batch brought anew; they were removed."""
    held: int = 0
    """Traces that carry instructions for their reader and wait for a person; nothing learns from them."""
    forgotten: int = 0
    """Traces left out because a person had them forgotten."""
    reasons: list[tuple[str, str]] = []
    """(uri, reason) of the first quarantined records."""
    formats: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    warnings: dict[str, int] = {}
    """How many traces carry each warning."""


@dataclass
class BatchContent:
    """One batch, read: its rows, and what is worth telling about them."""

    batch: Batch
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    trace_ids: set[str] = field(default_factory=set)
    identities: dict[tuple[str, str], str] = field(default_factory=dict)
    """(file, the record's own id in it) → trace id."""
    quarantined: list[Quarantined] = field(default_factory=list)
    duplicates: int = 0
    held: int = 0
    forgotten: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def note(self, record: TraceRecord) -> None:
        """Count a trace."""
        self._count(record, 1)
        self.trace_ids.add(record.trace_id)
        if identity := record.trajectory.session_id:
            self.identities[record.source.uri.partition("#")[0], identity] = record.trace_id

    def refuse(self, record: TraceRecord, reason: str) -> None:
        """Quarantine a trace that was counted before."""
        self._count(record, -1)
        self.trace_ids.discard(record.trace_id)
        self.identities = {name: known for name, known in self.identities.items() if known != record.trace_id}
        source = record.source
        self.quarantined.append(
            Quarantined(skill=record.skill, uri=source.uri, sha256=source.sha256, reason=reason)
        )

    def _count(self, record: TraceRecord, by: int) -> None:
        self.formats[record.source.format] += by
        self.outcomes[record.outcome.status] += by
        for warning in record.source.warnings:
            self.warnings[warning] += by

    def report(self) -> IngestReport:
        """What the batch became, as far as it is known before it is loaded."""
        return IngestReport(
            batch=self.batch.key,
            skill=self.batch.skill,
            traces=len(self.trace_ids),
            duplicates=self.duplicates,
            quarantined=len(self.quarantined),
            held=self.held,
            forgotten=self.forgotten,
            reasons=[(item.uri, item.reason) for item in self.quarantined[:REASONS]],
            formats=dict(+self.formats),
            outcomes=dict(+self.outcomes),
            warnings=dict(+self.warnings),
        )


def read_batch(
    files: OpenFiles, batch: Batch, progress: Callable[[int], None] = lambda _: None
) -> BatchContent:
    """The rows of one batch. Nothing is written."""
    content = BatchContent(batch)
    content.frames = trace_frames(_records(files, content, progress), batch.key, content.refuse)
    content.quarantined.extend(files.outcome_problems(batch.skill))
    content.frames["quarantine"] = quarantine_frame(content.quarantined, batch.key)
    content.frames["batch_stages"] = batch_stage_frame(
        batch=batch.key,
        skill=batch.skill,
        stage="traces",
        code_version=files.version,
        traces=len(content.trace_ids),
        duplicates=content.duplicates,
        quarantined=len(content.quarantined),
    )
    return content


class OpenFiles:
    """The files being read. A slice continues where the slice before it ended, so that a file cut into
    many batches is read once when its batches come in order. `told` are outcome files whose problems
    somebody else reports."""

    def __init__(
        self,
        paths: DataPaths,
        settings: Settings,
        redact: Redaction = unchanged,
        *,
        told: Collection[Path] = (),
    ) -> None:
        self._paths = paths
        self._settings = settings
        self.version = traces_version(settings)
        self._redact = redact
        self._open: dict[tuple[str, str], _Position] = {}
        self._outcomes = OutcomeFiles(paths.inbox, settings)
        self._told = frozenset(told)
        self.tombstones = tombstones(paths)

    def copies(self, part: FileSlice) -> int:
        """How many records of a slice need no reading: the same file is there under another name."""
        if part.copy_of is None:
            return 0
        try:
            size = (self._paths.root / part.copy_of).stat().st_size
        except OSError:
            return 0
        return part.records or 0 if size == part.size else 0

    def items(self, skill: str, part: FileSlice) -> Iterator[Item]:
        """The traces and quarantined records of a slice, outcome files applied."""
        path = self._paths.root / part.path
        if (reason := refusal(path, self._paths.inbox)) is not None:
            yield Quarantined(skill=skill, uri=part.path, reason=reason)
            return
        position = self._open.pop((skill, part.path), None)
        if position is None or position.next_record != part.first_record:
            found = numbered_records(
                path,
                skill=skill,
                uri=part.path,
                settings=self._settings,
                first_record=part.first_record,
                redact=self._redact,
            )
            position = _Position(found)
        stop = None if part.records is None else part.first_record + part.records
        for item in position.until(stop):
            yield self._outcomes.applied(item, path) if isinstance(item, TraceRecord) else item
        if stop is not None:
            self._open[skill, part.path] = position

    def outcome_problems(self, skill: str) -> list[Quarantined]:
        """What could not be read of the outcome files met so far, once."""
        return [
            Quarantined(
                skill=skill,
                uri=f"{file.relative_to(self._paths.root).as_posix()}#L{line}",
                reason=reason,
            )
            for file, line, reason in self._outcomes.new_problems()
            if file not in self._told
        ]

    def close(self) -> None:
        """Lets go of every file."""
        self._open.clear()


class _Position:
    """A file read up to some record, with at most one item read ahead."""

    def __init__(self, found: Iterator[tuple[int, Item]]) -> None:
        self._found = found
        self._ahead: tuple[int, Item] | None = None
        self.next_record = 0

    def until(self, stop: int | None) -> Iterator[Item]:
        while (ahead := self._ahead or next(self._found, None)) is not None:
            self._ahead = ahead
            if stop is not None and ahead[0] >= stop:
                break
            self._ahead = None
            yield ahead[1]
        if stop is not None:
            self.next_record = stop


def _records(
    files: OpenFiles, content: BatchContent, progress: Callable[[int], None]
) -> Iterator[TraceRecord]:
    """The traces of a batch, each once; everything else about them is noted in the content."""
    done = 0
    for part in content.batch.slices:
        if copies := files.copies(part):
            content.duplicates += copies
            progress(copies)
            continue
        for item in files.items(content.batch.skill, part):
            done += 1
            if done % PROGRESS_EVERY == 0:
                progress(PROGRESS_EVERY)
            if isinstance(item, Quarantined):
                content.quarantined.append(item)
            elif files.tombstones.bars(item):
                content.forgotten += 1
            elif item.trace_id in content.trace_ids:
                content.duplicates += 1
            else:
                content.note(item)
                yield item
    if rest := done % PROGRESS_EVERY:
        progress(rest)
