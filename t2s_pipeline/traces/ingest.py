"""From batches to rows of the store: traces, steps, and what could not be read.

Every batch is staged as soon as it is read and loaded with others. A landing that is large enough is read by
several processes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.garbage import collector_paused
from t2s_pipeline.programs import answers_of_programs
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import frame
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.batch_content import IngestReport, OpenFiles, read_batch
from t2s_pipeline.traces.guard import TraceGuard, guard_of
from t2s_pipeline.traces.inbox import Batch
from t2s_pipeline.traces.outcome_files import folders_of, outcome_files
from t2s_pipeline.traces.released import restore_releases

STAGED_BATCHES = 48
"""Batches written between two loads of the store: a load costs about 50 ms, whatever it brings."""

BYTES_PER_PROCESS = 20_000_000
"""Bytes of trace files that make another process worth its start of about a second."""

_OF_A_TRACE = ("redactions", "held", "traces", "steps", "actions", "lessons", "evidence", "refused_lessons")


class StagedBatch(BaseModel):
    """A batch whose rows are staged."""

    model_config = ConfigDict(frozen=True)

    report: IngestReport
    identities: list[tuple[str, str, str]]
    """File, the record's own id in it, and trace id."""


class IngestOrder(BaseModel):
    """What a process is asked to read: `python -m t2s_pipeline.traces.worker`."""

    settings: Settings
    batches: list[Batch]
    told: list[Path]
    """Outcome files whose problems another process reports."""


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

    Repeating it changes nothing. `guard` (that of the data root unless another is given, which then reads
    all of it in this process) sees every trace before anything else does. `progress` is called with the
    number of records done since its last call. Raises StoreBusy or StoreError when the store cannot be
    written; what was read stays staged. Raises TraceError when the list of forgotten traces, or of released
    ones, cannot be read.
    """
    if not batches:
        return {}
    ordered = sorted(batches, key=lambda one: one.key)
    older = _Older(store, ordered)
    shares = [ordered] if guard else shares_of(ordered, settings.workers)
    # Also makes the salt, before several processes need it.
    guard = guard or guard_of(paths, settings)
    files = OpenFiles(paths, settings, guard)
    reports: dict[str, IngestReport] = {}

    def take(found: Iterable[StagedBatch]) -> None:
        for number, staged in enumerate(found, start=1):
            replaced = older.replaced_by(staged)
            reports[staged.report.batch] = staged.report.model_copy(update={"replaced": replaced})
            if number % STAGED_BATCHES == 0:
                store.load_staged()

    if len(shares) > 1:
        take(_staged_by_many(paths, settings, shares, progress))
    left = [batch for batch in ordered if batch.key not in reports]
    take(stage_batches(store, files, guard, left, progress))
    store.load_staged()
    older.remove()
    restore_releases(store, paths)
    return _as_loaded(store, reports)


def stage_batches(
    store: Store,
    files: OpenFiles,
    guard: TraceGuard,
    batches: Sequence[Batch],
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[StagedBatch]:
    """Reads the batches in order and stages the rows of each; loading them is left to the caller."""
    for batch in batches:
        with collector_paused():
            content = read_batch(files, batch, progress)
            found = guard.frames(content.trace_ids, batch=batch.key, skill=batch.skill)
            content.frames.update(found)
            content.held = found["held"]["trace_id"].n_unique()
            store.stage({"batch": batch.key}, content.frames)
            names = [(*name, trace_id) for name, trace_id in content.identities.items()]
            staged = StagedBatch(report=content.report(), identities=names)
        yield staged
    files.close()


def shares_of(batches: Sequence[Batch], workers: int) -> list[Sequence[Batch]]:
    """The batches in runs of about as many traces each, one for each process worth starting."""
    size = sum({part.path: part.size for batch in batches for part in batch.slices}.values())
    count = min(workers, len(batches), size // BYTES_PER_PROCESS)
    total = sum(batch.traces for batch in batches)
    shares: list[list[Batch]] = [[]]
    before = 0
    for batch in batches:
        if before * count >= total * len(shares) and len(shares) < count:
            shares.append([])
        shares[-1].append(batch)
        before += batch.traces
    return list(shares)


def _staged_by_many(
    paths: DataPaths, settings: Settings, shares: Sequence[Sequence[Batch]], progress: Callable[[int], None]
) -> Iterator[StagedBatch]:
    """What worker processes have read; a batch that one of them failed on is missing."""
    orders = []
    told: set[Path] = set()
    for share in shares:
        orders.append(IngestOrder(settings=settings, batches=list(share), told=sorted(told)))
        told |= _outcome_files_beside(share, paths)
    for line in answers_of_programs("t2s_pipeline.traces.worker", orders):
        staged = StagedBatch.model_validate(orjson.loads(line))
        report = staged.report
        progress(report.traces + report.duplicates + report.quarantined + report.forgotten)
        yield staged


def _outcome_files_beside(batches: Sequence[Batch], paths: DataPaths) -> set[Path]:
    files = {paths.root / part.path for batch in batches for part in batch.slices}
    folders = {folder for file in files for folder in folders_of(file, paths.inbox)}
    return {found for folder in folders for found in outcome_files(folder)}


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

    def replaced_by(self, staged: StagedBatch) -> int:
        """Remembers the traces of other batches that this one replaces; how many they are."""
        if not self._held:
            return 0
        report = staged.report
        found = [
            held
            for path, identity, trace_id in staged.identities
            for held, its_batch in self._held.get((report.skill, path, identity), ())
            if held != trace_id and its_batch != report.batch
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
