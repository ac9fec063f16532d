"""From batches to rows of the store: traces, steps, and what could not be read.

`read_batch` is the pure part and makes the frames of one batch, one trace in memory at a time;
`ingest_batches` writes them. A file is read once, however many batches slice it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import batch_stage_frame, frame, quarantine_frame, trace_frames
from t2s_pipeline.traces.forgotten import tombstones
from t2s_pipeline.traces.guard import TraceGuard, guard_of
from t2s_pipeline.traces.inbox import Batch, FileSlice, refusal
from t2s_pipeline.traces.outcome_files import OutcomeFiles
from t2s_pipeline.traces.reading import Redaction, numbered_records, unchanged
from t2s_pipeline.traces.record import Quarantined, TraceRecord

if TYPE_CHECKING:
    from t2s_pipeline.store.store import Store

TRACES_VERSION = "1"
"""Code version of the importers: raised when the same files would give other traces."""

STAGED_BATCHES = 48
"""Batches written between two loads of the store: a load costs about 50 ms, whatever it brings."""

REASONS = 50
"""Quarantine reasons a report carries; the store has all of them."""

PROGRESS_EVERY = 32
"""Records between two calls of `progress`."""

_OF_A_TRACE = ("redactions", "held", "traces", "steps", "actions", "lessons", "evidence", "refused_lessons")

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

    def report(self, replaced: int) -> IngestReport:
        return IngestReport(
            batch=self.batch.key,
            skill=self.batch.skill,
            traces=len(self.trace_ids),
            duplicates=self.duplicates,
            quarantined=len(self.quarantined),
            replaced=replaced,
            held=self.held,
            forgotten=self.forgotten,
            reasons=[(item.uri, item.reason) for item in self.quarantined[:REASONS]],
            formats=dict(self.formats),
            outcomes=dict(self.outcomes),
            warnings=dict(self.warnings),
        )


def ingest_batches(
    store: Store,
    paths: DataPaths,
    settings: Settings,
    batches: Sequence[Batch],
    progress: Callable[[int], None] = lambda _: None,
    *,
    guard: TraceGuard | None = None,
) -> dict[str, IngestReport]:
    """Reads the batches and replaces their rows in the store; the report of each, by key.

    Repeating it changes nothing. `guard` (that of the data root unless another is given) sees every trace
    before anything else does. `progress` is called
    with the number of records done since its last call. Raises StoreBusy or StoreError when the store
    cannot be written; what was read stays staged. Raises TraceError when the list of forgotten traces cannot
    be read.
    """
    if not batches:
        return {}
    reports: dict[str, IngestReport] = {}
    older = _Older(store, batches)
    guard = guard or guard_of(paths, settings)
    files = OpenFiles(paths, settings, guard)
    for number, batch in enumerate(sorted(batches, key=lambda one: one.key), start=1):
        content = read_batch(files, batch, progress)
        found = guard.frames(content.trace_ids, batch=batch.key, skill=batch.skill)
        content.frames.update(found)
        content.held = found["held"]["trace_id"].n_unique()
        store.stage({"batch": batch.key}, content.frames)
        reports[batch.key] = content.report(older.replaced_by(content))
        if number % STAGED_BATCHES == 0:
            store.load_staged()
    files.close()
    store.load_staged()
    older.remove()
    return _as_loaded(store, reports)


def read_batch(
    files: OpenFiles, batch: Batch, progress: Callable[[int], None] = lambda _: None
) -> BatchContent:
    """The rows of one batch. Nothing is written."""
    content = BatchContent(batch)
    content.frames = trace_frames(_records(files, content, progress), batch.key)
    content.quarantined.extend(files.outcome_problems(batch.skill))
    content.frames["quarantine"] = quarantine_frame(content.quarantined, batch.key)
    content.frames["batch_stages"] = batch_stage_frame(
        batch=batch.key,
        skill=batch.skill,
        stage="traces",
        code_version=TRACES_VERSION,
        traces=len(content.trace_ids),
        duplicates=content.duplicates,
        quarantined=len(content.quarantined),
    )
    return content


class OpenFiles:
    """The files being read. A slice continues where the slice before it ended, so that a file cut into
    many batches is read once when its batches come in order."""

    def __init__(self, paths: DataPaths, settings: Settings, redact: Redaction = unchanged) -> None:
        self._paths = paths
        self._settings = settings
        self._redact = redact
        self._open: dict[tuple[str, str], _Position] = {}
        self._outcomes = OutcomeFiles(paths.inbox, settings)
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
                _note(content, item)
                yield item
    if rest := done % PROGRESS_EVERY:
        progress(rest)


def _note(content: BatchContent, record: TraceRecord) -> None:
    content.trace_ids.add(record.trace_id)
    if identity := record.trajectory.session_id:
        content.identities[record.source.uri.partition("#")[0], identity] = record.trace_id
    content.formats[record.source.format] += 1
    content.outcomes[record.outcome.status] += 1
    content.warnings.update(record.source.warnings)


class _Older:
    """What earlier batches hold of the same files under the same ids: a session that went on, a
    conversation that was exported again. The newest content replaces it."""

    def __init__(self, store: Store, batches: Sequence[Batch]) -> None:
        self._store = store
        self._outdated: list[str] = []
        held = store.query(
            "SELECT trace_id, skill, batch, split_part(uri, '#', 1) AS path,"
            " header ->> '$.session_id' AS session_id FROM traces"
            " WHERE path IN (SELECT unnest(?::VARCHAR[])) AND session_id IS NOT NULL",
            [sorted({part.path for batch in batches for part in batch.slices})],
        )
        self._held: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for trace_id, skill, batch, path, session_id in held.iter_rows():
            self._held.setdefault((skill, path, session_id), []).append((trace_id, batch))

    def replaced_by(self, content: BatchContent) -> int:
        """Remembers the traces of other batches that this content replaces; how many they are."""
        if not self._held:
            return 0
        batch = content.batch
        found = [
            held
            for (path, identity), trace_id in content.identities.items()
            for held, its_batch in self._held.get((batch.skill, path, identity), ())
            if held != trace_id and its_batch != batch.key
        ]
        self._outdated.extend(found)
        return len(found)

    def remove(self) -> None:
        """Takes the replaced traces and all that was learnt from them out of the store."""
        if self._outdated:
            gone = list(dict.fromkeys(self._outdated))
            self._store.replace({"trace_id": gone}, {name: frame(name) for name in _OF_A_TRACE})


def _as_loaded(store: Store, reports: dict[str, IngestReport]) -> dict[str, IngestReport]:
    """The reports with what loading found: traces that another batch already had are not new."""
    counted = store.query(
        "SELECT batch, traces, duplicates FROM batch_stages"
        " WHERE stage = 'traces' AND batch IN (SELECT unnest(?::VARCHAR[]))",
        [sorted(reports)],
    )
    for batch, traces, duplicates in counted.iter_rows():
        update = {"traces": traces, "duplicates": duplicates}
        reports[batch] = reports[batch].model_copy(update=update)
    return reports
