"""The stage: what was written but is not in the database yet, one directory of Parquet files per write.

A set is written under a hidden name and gets its final name in one rename, so a set that can be seen is
complete. Final names carry a running number, given out under a lock: their order is the order of writing.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import StoreError
from t2s_pipeline.store.tables import conform, table

_log = logging.getLogger(__name__)

_MANIFEST = "manifest.json"
_SET_NAME = re.compile(r"^(\d{12})-")
_WRITING = ".writing-"
_LOADED = ".loaded-"
_SET_ASIDE = "set-aside"


Scope = Mapping[str, str | Sequence[str]]
"""What a write replaces: one column, and the value or values whose rows go."""


class Manifest(BaseModel):
    """What a staged set replaces and with how many rows."""

    model_config = ConfigDict(frozen=True)

    scope_column: str
    scope_values: tuple[str, ...]
    rows: dict[str, int]
    duplicates: int = 0
    """Traces left out while staging because the set had them twice."""


@dataclass(frozen=True)
class StagedSet:
    """One complete set on the stage."""

    path: Path
    manifest: Manifest

    def parquet(self, table_name: str) -> Path:
        """The file that holds the set's rows for a table; there is none for no rows."""
        return _parquet(self.path, table_name)


@dataclass(frozen=True)
class SetAside:
    """A set that cannot be loaded: where it was moved, and why."""

    path: Path
    reason: str


def stage_set(stage: Path, scope: Scope, frames: Mapping[str, pl.DataFrame]) -> StagedSet:
    """Put one set on the stage; when this returns, the rows survive the death of the process.

    Raises:
        ValueError: the scope is not one column, or a frame does not fit its table or the scope.
    """
    column, values = _one_scope(scope)
    typed = {name: _in_scope(name, conform(name, frame), column, values) for name, frame in frames.items()}
    if "steps" in typed and "traces" not in typed:
        raise ValueError("steps are written together with their traces")
    if len(values) > 1 and {"traces", "batch_stages"} <= typed.keys():
        raise ValueError("traces and what is counted of them are written one batch at a time")
    typed, duplicates = _without_repeats(typed)
    manifest = Manifest(
        scope_column=column,
        scope_values=values,
        rows={name: frame.height for name, frame in typed.items()},
        duplicates=duplicates,
    )

    stage.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=hidden_prefix(os.getpid()), dir=stage))
    try:
        for name, frame in typed.items():
            if frame.is_empty():
                continue
            frame.write_parquet(_parquet(hidden, name), compression="lz4", statistics=False)
        (hidden / _MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
        for file in (*hidden.iterdir(), hidden):
            _sync(file)
        final = _rename_to_next_number(stage, hidden, "-".join([column, *values[:1]]))
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return StagedSet(final, manifest)


def staged_names(stage: Path) -> list[str]:
    """Names of the sets on the stage, oldest first."""
    if not stage.is_dir():
        return []
    return sorted(entry.name for entry in stage.iterdir() if _SET_NAME.match(entry.name))


def open_set(stage: Path, name: str) -> StagedSet:
    """The set of that name; its files are not looked into (see `damage`).

    Raises:
        StoreError: its manifest is missing, damaged, or does not fit the tables.
    """
    path = stage / name
    try:
        manifest = Manifest.model_validate_json((path / _MANIFEST).read_bytes())
        for table_name in manifest.rows:
            if manifest.scope_column not in table(table_name).columns:
                raise StoreError(f"table {table_name} has no column {manifest.scope_column}")
    except (OSError, ValueError) as error:
        raise StoreError(f"the staged set is damaged: {error}") from error
    return StagedSet(path, manifest)


def damage(staged: StagedSet) -> str | None:
    """Why the rows of a set cannot be read or do not fit their tables; None when they can and do."""
    try:
        for name, rows in staged.manifest.rows.items():
            if rows:
                conform(name, pl.read_parquet(staged.parquet(name), glob=False))
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        return str(error)
    return None


def remove_set(staged: StagedSet) -> None:
    """Take a set that is in the database off the stage, in one step for everybody who looks."""
    hidden = staged.path.with_name(f"{_LOADED}{staged.path.name}")
    shutil.rmtree(hidden, ignore_errors=True)
    staged.path.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def set_aside(stage: Path, name: str, reason: str) -> SetAside:
    """Move a set that cannot be loaded out of the way, keeping its files for a person to look at."""
    (stage / _SET_ASIDE).mkdir(exist_ok=True)
    target = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=stage / _SET_ASIDE))
    (stage / name).rename(target / name)
    (target / "reason.txt").write_text(reason + "\n", encoding="utf-8")
    _log.warning(
        "A staged write cannot be loaded and was moved to %s: %s. The rest goes on; "
        "write that part again to get its rows.",
        target,
        reason,
    )
    return SetAside(target, reason)


def was_set_aside(stage: Path, name: str) -> Path | None:
    """Where the set of that name was moved to, if it was."""
    return next(iter(sorted((stage / _SET_ASIDE).glob(f"{name}-*"))), None)


def clear_leftovers(stage: Path) -> None:
    """Delete what processes that died left behind: half-written sets, and loaded ones half deleted.

    Half-written sets of a process that lives, or of another machine, are left alone.
    """
    for entry in stage.iterdir():
        if entry.name.startswith(_LOADED):
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name.startswith(_WRITING):
            pid = entry.name.split("-")[-2]
            ours = pid.isdecimal() and entry.name.startswith(hidden_prefix(int(pid)))
            if ours and not _is_alive(int(pid)):
                shutil.rmtree(entry, ignore_errors=True)


def hidden_prefix(pid: int) -> str:
    """How the name of a directory begins that a process of this machine is writing."""
    return f"{_WRITING}{_safe(socket.gethostname())}-{pid}-"


def _one_scope(scope: Scope) -> tuple[str, tuple[str, ...]]:
    if len(scope) != 1:
        raise ValueError(f"a scope is one column, not {dict(scope)!r}")
    ((column, values),) = scope.items()
    return column, (values,) if isinstance(values, str) else tuple(values)


def _in_scope(name: str, frame: pl.DataFrame, column: str, values: tuple[str, ...]) -> pl.DataFrame:
    if column not in frame.columns:
        raise ValueError(f"table {name} has no column {column!r} to replace by")
    if not frame[column].is_in(values).all():
        raise ValueError(f"rows for table {name} have another {column} than {', '.join(values)}")
    return frame


def _without_repeats(frames: dict[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], int]:
    """The frames with each trace once (the first), and how many were left out."""
    traces = frames.get("traces")
    if traces is None or not traces["trace_id"].is_duplicated().any():
        return frames, 0
    once = traces.unique("trace_id", keep="first", maintain_order=True)
    unrepeated = {**frames, "traces": once}
    if "steps" in frames:
        unrepeated["steps"] = frames["steps"].unique(
            ["trace_id", "step_id"], keep="first", maintain_order=True
        )
    return unrepeated, traces.height - once.height


def _rename_to_next_number(stage: Path, hidden: Path, label: str) -> Path:
    with FileLock(stage / ".order.lock"):
        names = staged_names(stage)
        last = int(names[-1][:12]) if names else 0
        # The random end keeps a name from ever being used twice: numbers start again on an empty stage.
        unique = hidden.name.rsplit("-", 1)[1]
        final = stage / f"{last + 1:012d}-{_safe(label)}-{unique}"
        hidden.rename(final)
        _sync(stage)
    return final


def _safe(text: str) -> str:
    """The text as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text)[:80]


def _parquet(directory: Path, table_name: str) -> Path:
    return directory / f"{table_name}.parquet"


def _sync(path: Path) -> None:
    """Have the disk confirm a file or the names in a directory."""
    if path.is_dir() and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
