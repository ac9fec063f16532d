"""Outcomes that stand beside the traces: `outcomes.csv` or `outcomes.jsonl` in the inbox.

A row names what it is about (`trace_id`, `session_id` or `id`, `task_id`, optionally `trial`) and how it
ended (`success`, `reward`, `outcome` or `status`; `source` and `detail` when known). The most specific
row wins, and so does the file nearest to the trace.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from t2s_pipeline.errors import TraceError
from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.layouts import sha256_of
from t2s_pipeline.traces.outcomes import OutcomeSource, outcome_of_reward
from t2s_pipeline.traces.record import Outcome, TraceRecord, short_name
from t2s_pipeline.traces.redact import Redactor
from t2s_pipeline.traces.strictness import parse

NAMES = ("outcomes.csv", "outcomes.jsonl")

_RESULTS = ("reward", "success", "outcome", "status")
_SOURCES: tuple[OutcomeSource, ...] = get_args(OutcomeSource)

_NAMED_BY = (("trace_id", "trace"), ("session_id", "session"), ("id", "session"), ("task_id", "task"))
_USELESS = (
    "the row needs one of trace_id, session_id, id, task_id and one of reward, success, outcome, status, "
    "with a value that is a number or a word such as success or failure"
)
_NO_COLUMNS = (
    "the first line has to name the columns: one of trace_id, session_id, id, task_id, and one of reward, "
    "success, outcome, status"
)
_SEPARATORS = ",;\t"
"""Of columns: what spreadsheets write in this country or that."""
_A_LINK = "a symbolic link: copy the file into the inbox instead"

Key = tuple[str, ...]
Row = Mapping[str, Any]
Problem = tuple[Path, int, str]
"""File, line, reason."""


class OutcomeFiles:
    """The outcome files of an inbox, read when first needed and kept for one ingest."""

    def __init__(self, inbox: Path, settings: Settings) -> None:
        self._inbox = inbox
        self._settings = settings
        self._rows: dict[Path, dict[Key, Outcome]] = {}
        self._problems: list[Problem] = []

    def applied(self, record: TraceRecord, path: Path) -> TraceRecord:
        """The record with the outcome its nearest outcome file gives, or as it was."""
        for folder in folders_of(path, self._inbox):
            rows = self._of(folder)
            for key in _keys_of(record) if rows else ():
                if (outcome := rows.get(key)) is not None:
                    return record.model_copy(update={"outcome": outcome})
        return record

    def new_problems(self) -> list[Problem]:
        """What could not be read of the outcome files since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def _of(self, folder: Path) -> dict[Key, Outcome]:
        if folder not in self._rows:
            found: dict[Key, Outcome] = {}
            self._problems.extend((link, 1, _A_LINK) for link in _named(folder) if link.is_symlink())
            for file in outcome_files(folder):
                rows, problems = rows_of(file)
                for number, row in rows:
                    if not _enter(row, found, self._settings):
                        problems.append((file, number, _USELESS))
                self._problems.extend(problems)
            self._rows[folder] = found
        return self._rows[folder]


def folders_of(path: Path, inbox: Path) -> Iterator[Path]:
    """The folders whose outcome files speak about a trace file, nearest first."""
    for folder in path.parents:
        yield folder
        if folder == inbox or inbox not in folder.parents:
            return


def outcome_files(folder: Path) -> list[Path]:
    """The outcome files of one folder. Links are none: they could lead anywhere."""
    return [file for file in _named(folder) if file.is_file() and not file.is_symlink()]


def _named(folder: Path) -> list[Path]:
    return [folder / name for name in NAMES]


def fingerprint(files: list[Path]) -> str:
    """Changes when any of the files changes; empty when there are none."""
    parts = []
    for file in files:
        try:
            parts.append(sha256_of(file.read_bytes()))
        except OSError:
            parts.append("unreadable")
    return sha256_of("".join(parts).encode())[:16] if parts else ""


def rows_of(file: Path) -> tuple[list[tuple[int, Row]], list[Problem]]:
    """The rows of an outcome file with their line numbers, and what of it cannot be read."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return [], [(file, 1, "not UTF-8: convert the file to UTF-8")]
    except OSError as error:
        return [], [(file, 1, f"the file cannot be read: {error.strerror}")]
    if file.suffix == ".csv":
        return _csv_rows(file, text)
    rows: list[tuple[int, Row]] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value, _ = parse(line.encode())
        except TraceError as error:
            problems.append((file, number, str(error)))
            continue
        if isinstance(value, dict):
            rows.append((number, value))
        else:
            problems.append((file, number, "not a JSON object"))
    return rows, problems


def _csv_rows(file: Path, text: str) -> tuple[list[tuple[int, Row]], list[Problem]]:
    """The rows of a table whose first line names its columns; what separates them is told by that line."""
    head = text.partition("\n")[0]
    separator = next((one for one in _SEPARATORS if one in head), _SEPARATORS[0])
    reader = csv.DictReader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    try:
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        if columns and not ({name for name, _ in _NAMED_BY} & {*columns} and {*_RESULTS} & {*columns}):
            return [], [(file, 1, _NO_COLUMNS)]
        reader.fieldnames = columns
        return [(reader.line_num, dict(row)) for row in reader], []
    except csv.Error as error:
        return [], [(file, reader.line_num, f"not valid CSV: {error}")]


def _enter(row: Row, into: dict[Key, Outcome], settings: Settings) -> bool:
    """Enters the outcome a row gives; False when the row does not say of what, or how it ended."""
    recorded = next((row[name] for name in _RESULTS if row.get(name) not in (None, "")), None)
    outcome = outcome_of_reward(recorded, _source(row), settings)
    named = next(((kind, row[name]) for name, kind in _NAMED_BY if row.get(name) not in (None, "")), None)
    if outcome.status == "unknown" or named is None:
        return False
    if detail := row.get("detail"):
        shown, _ = Redactor(settings.redaction, b"").redact_text(str(detail))
        outcome = outcome.model_copy(update={"detail": shown})
    kind, value = named[0], str(named[1])
    if kind == "task":
        value = short_name(value)
    trial = row.get("trial")
    into[(kind, value) if trial in (None, "") else (kind, value, short_name(str(trial)))] = outcome
    return True


def _source(row: Row) -> OutcomeSource:
    return next((known for known in _SOURCES if known == row.get("source")), "human")


def _keys_of(record: TraceRecord) -> Iterator[Key]:
    yield ("trace", record.trace_id)
    if session := record.trajectory.session_id:
        yield from _with_trial("session", session, record.trial)
    if record.task_id:
        yield from _with_trial("task", record.task_id, record.trial)


def _with_trial(kind: str, value: str, trial: str | None) -> Iterator[Key]:
    if trial is not None:
        yield (kind, value, trial)
        # A conversation's identity carries its trial where the same id is used for several attempts.
        if kind == "session" and value.endswith(f"/{trial}"):
            yield (kind, value.removesuffix(f"/{trial}"), trial)
            yield (kind, value.removesuffix(f"/{trial}"))
    yield (kind, value)
