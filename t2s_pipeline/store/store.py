"""The store: staged writes, loaded by whoever holds the lock, and short reads.

DuckDB lets one process at a time open the file for writing, and a reader in another process keeps a writer
out. So nobody keeps the file open: a write goes to the stage first (see `stage`), then the holder of the
lock loads everything that is staged. A waiter usually finds its own write done when its turn comes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl
from filelock import FileLock, Timeout

from t2s_pipeline.errors import StoreBusy, StoreError
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store import erase
from t2s_pipeline.store.load import SetReport, load_set, report_of_loaded
from t2s_pipeline.store.stage import (
    Scope,
    SetAside,
    StagedSet,
    clear_leftovers,
    damage,
    open_set,
    remove_set,
    set_aside,
    stage_set,
    staged_names,
    was_set_aside,
)
from t2s_pipeline.store.tables import SCHEMA_SQL, SCHEMA_VERSION

_CONFIG: Mapping[str, str | int | bool] = {
    "threads": 2,
    "memory_limit": "1GB",
    # No network, and no reading of Python variables by name.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}

_LITTLE_MEMORY = "SET memory_limit = '256MB'"
_ALL_MEMORY = f"SET memory_limit = '{_CONFIG['memory_limit']}'"
"""Loading needs little, and DuckDB keeps what it is given. What does need more gets it."""

_MANY_SETS = (
    # Left alone, DuckDB rewrites the end of a table after every large transaction. With several sets to
    # load, that is put off until this much is waiting: half the time for the same result.
    "SET checkpoint_threshold = '128MB'",
    "SET auto_checkpoint_skip_wal_threshold = '1000000000'",
)

_LOCK_POLL_S = 0.02
_LOCK_LOOK_S = 0.25
"""How often a waiter looks whether somebody else has loaded its write."""
_RETRY_FIRST_S = 0.05
_RETRY_MOST_S = 1.0


@dataclass(frozen=True)
class LoadReport:
    """What a call brought into the database."""

    sets: tuple[SetReport, ...] = ()
    """`replace`: the set it wrote, whoever loaded it. `load_staged`: all that this call loaded."""
    pending: tuple[str, ...] = ()
    """Sets that are staged and not loaded yet. Nothing of them is lost."""
    set_aside: tuple[SetAside, ...] = ()
    """Sets that cannot be loaded and were moved out of the way."""
    message: str = field(default="")
    """Why sets are pending, and what to do; empty when none is."""

    @property
    def traces(self) -> int:
        """Traces inserted."""
        return sum(loaded.rows.get("traces", 0) for loaded in self.sets)

    @property
    def duplicates(self) -> int:
        """Traces left out because they were in the store already."""
        return sum(loaded.duplicates for loaded in self.sets)

    @property
    def rows(self) -> dict[str, int]:
        """Rows inserted, by table."""
        total: dict[str, int] = {}
        for loaded in self.sets:
            for name, rows in loaded.rows.items():
                total[name] = total.get(name, 0) + rows
        return total


class Store:
    """One DuckDB file and its stage. Holds no connection: cheap to make, can be sent to other processes."""

    def __init__(self, paths: DataPaths, *, lock_timeout_s: float = 120.0) -> None:
        self._paths = paths
        self._lock_timeout_s = lock_timeout_s

    def replace(self, scope: Scope, tables: Mapping[str, pl.DataFrame]) -> LoadReport:
        """Make the given rows the rows of a scope, in every given table, in one transaction.

        A scope is one column and one value or several, such as `{"batch": key}`, `{"skill": name}` or
        `{"trace_id": outdated}`; tables that are not given keep their rows, and a table given empty loses
        those of the scope. In `batch_stages` and `versions` only rows of the same stage or version are
        replaced. A trace that another batch already has is left out with its steps and counted as a
        duplicate.

        When another program holds the database for longer than the lock timeout, the rows stay staged, the
        report says so under `pending`, and the next call of any process loads them.

        Raises:
            ValueError: the frames do not fit the tables or the scope; nothing was staged.
            StoreError: the database file is damaged or of another version; the rows stay staged.
        """
        staged = stage_set(self._paths.stage, scope, tables)
        try:
            return self._load(staged)
        except StoreBusy as busy:
            return LoadReport(pending=tuple(staged_names(self._paths.stage)), message=str(busy))

    def stage(self, scope: Scope, tables: Mapping[str, pl.DataFrame]) -> None:
        """Stage rows as `replace` does and leave the loading to the next call of `load_staged`.

        Raises:
            ValueError: the frames do not fit the tables or the scope; nothing was staged.
        """
        stage_set(self._paths.stage, scope, tables)

    def load_staged(self) -> LoadReport:
        """Load everything that is staged.

        Raises:
            StoreBusy: another program holds the database; everything stays staged.
            StoreError: the database file is damaged or of another version; everything stays staged.
        """
        return self._load(None)

    def query(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> pl.DataFrame:
        """The rows a statement reads, after everything staged has been loaded.

        Values go in as parameters: `?` with a sequence, `$name` with a mapping. The connection cannot
        write.

        Raises:
            StoreBusy: another program holds the database, so neither loading nor reading is possible.
            StoreError: the database file is damaged or of another version.
        """
        deadline = time.monotonic() + self._lock_timeout_s
        with self._locked(deadline):
            self._load_all(deadline)
            with self._connected(deadline, read_only=True) as connection:
                bound = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
                try:
                    frame: pl.DataFrame = connection.sql(sql, params=bound).pl()
                except (duckdb.IOException, duckdb.FatalException) as error:
                    raise StoreError(_unusable(self._paths.database, str(error))) from error
                return frame

    def erase_traces(self, trace_ids: Sequence[str]) -> dict[str, int]:
        """Remove traces, everything about them and every lesson that quotes them; rows removed by table.

        What is staged is loaded first, so that it cannot bring them back. Their bytes stay in the file until
        `write_anew`.

        Raises:
            StoreBusy, StoreError: as `query` does; nothing was removed.
        """
        with self._writing() as connection:
            return erase.erase_traces(connection, trace_ids)

    def erase_versions(self, skill: str, versions: Sequence[str]) -> None:
        """Remove versions of a skill from the list of versions. Raises as `erase_traces` does."""
        with self._writing() as connection:
            erase.erase_versions(connection, skill, versions)

    def write_anew(self) -> None:
        """Write the database into a new file, without the bytes of what was removed.

        Raises:
            StoreBusy: another program has the database open.
            StoreError: the database cannot be read, or the disk is full; the old file stays.
        """
        deadline = time.monotonic() + self._lock_timeout_s
        with self._locked(deadline):
            with self._connected(deadline) as connection:  # no other program has it open
                connection.execute("CHECKPOINT")
            try:
                erase.write_anew(self._paths.database)
            except duckdb.Error as error:
                raise StoreError(
                    f"{self._paths.database} could not be written anew: {error}. What was removed is gone "
                    "from its tables; its bytes may still be in the file."
                ) from error

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for a short write, after everything staged has been loaded."""
        deadline = time.monotonic() + self._lock_timeout_s
        with self._locked(deadline):
            self._load_all(deadline)
            with self._connected(deadline) as connection:
                yield connection

    def _is_settled(self) -> bool:
        """Whether the file can be read as it is: it exists and no killed writer left a log beside it."""
        database = self._paths.database
        return database.exists() and not database.with_name(f"{database.name}.wal").exists()

    def _load(self, own: StagedSet | None) -> LoadReport:
        deadline = time.monotonic() + self._lock_timeout_s
        try:
            with self._locked(deadline, own):
                report = self._load_all(deadline)
                if own is None:
                    return report
                mine = tuple(loaded for loaded in report.sets if loaded.name == own.path.name)
                if not mine:
                    mine = (self._loaded_elsewhere(own, deadline),)
                return LoadReport(sets=mine, set_aside=report.set_aside)
        except _NotNeeded as done:
            self._refuse_set_aside(done.staged)
            return LoadReport(sets=(_plain_report(done.staged),))

    def _load_all(self, deadline: float) -> LoadReport:
        """Load every staged set, oldest first. The caller holds the lock."""
        stage = self._paths.stage
        loaded: list[SetReport] = []
        aside: list[SetAside] = []
        names = staged_names(stage)
        if not names and self._is_settled():
            if stage.is_dir():
                clear_leftovers(stage)
            return LoadReport()
        with self._connected(deadline) as connection:
            for setting in (_LITTLE_MEMORY, *(_MANY_SETS if len(names) > 1 else ())):
                connection.execute(setting)
            for name in names:
                try:
                    staged = open_set(stage, name)
                except StoreError as error:
                    aside.append(set_aside(stage, name, str(error)))
                    continue
                try:
                    loaded.append(_load_set(connection, staged))
                except duckdb.Error as error:
                    reason = damage(staged)
                    if reason is None:
                        raise StoreError(
                            f"{staged.path} could not be loaded into {self._paths.database}: {error}. "
                            "It stays staged and is tried again by the next command."
                        ) from error
                    aside.append(set_aside(stage, name, reason))
                    continue
                remove_set(staged)
        if stage.is_dir():
            clear_leftovers(stage)
        return LoadReport(sets=tuple(loaded), set_aside=tuple(aside))

    def _loaded_elsewhere(self, own: StagedSet, deadline: float) -> SetReport:
        self._refuse_set_aside(own)
        with self._connected(deadline, read_only=True) as connection:
            return report_of_loaded(connection, own)

    def _refuse_set_aside(self, own: StagedSet) -> None:
        moved = was_set_aside(self._paths.stage, own.path.name)
        if moved is not None:
            raise StoreError(
                f"What was just written could not be loaded and was moved to {moved}: "
                f"{(moved / 'reason.txt').read_text(encoding='utf-8').strip()}"
            )

    @contextmanager
    def _locked(self, deadline: float, own: StagedSet | None = None) -> Iterator[None]:
        """Hold the lock of the store; `_NotNeeded` when somebody loads `own` while we wait for it."""
        self._paths.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._paths.lock)
        while True:
            wait = max(0.0, min(_LOCK_LOOK_S, deadline - time.monotonic()))
            try:
                lock.acquire(timeout=wait, poll_interval=_LOCK_POLL_S)
                break
            except Timeout:
                if own is not None and _needs_no_count(own):
                    raise _NotNeeded(own) from None
                if time.monotonic() >= deadline:
                    raise StoreBusy(
                        f"Another process of this pipeline has kept {self._paths.database} busy for "
                        f"{self._lock_timeout_s:g} s. Nothing is lost: what was written is staged in "
                        f"{self._paths.stage} and is loaded by the next command."
                    ) from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _connected(self, deadline: float, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A short connection to a database with our schema. The caller holds the lock."""
        if not self._paths.database.exists():
            _create_database(self._paths.database)
        connection = self._connect(deadline, read_only=read_only)
        try:
            # Standard output belongs to the command that asks.
            connection.execute("SET enable_progress_bar = false")
            _check_schema(connection, self._paths.database)
            yield connection
        finally:
            connection.close()

    def _connect(self, deadline: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        pause = _RETRY_FIRST_S
        while True:
            try:
                return duckdb.connect(self._paths.database, read_only=read_only, config=dict(_CONFIG))
            except duckdb.Error as error:
                if not _is_held(error):
                    raise StoreError(_unusable(self._paths.database, str(error))) from error
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise StoreBusy(
                        f"Another program has {self._paths.database} open: {_holder(error)}. Nothing is "
                        f"lost: what was written is staged in {self._paths.stage}. Close that program, and "
                        "the next command loads it."
                    ) from error
            time.sleep(min(pause, remaining))
            pause = min(pause * 2, _RETRY_MOST_S)


class _NotNeeded(Exception):
    """Somebody else did the work while we waited for the lock."""

    def __init__(self, staged: StagedSet) -> None:
        self.staged = staged


def _load_set(connection: duckdb.DuckDBPyConnection, staged: StagedSet) -> SetReport:
    try:
        return load_set(connection, staged)
    except duckdb.OutOfMemoryException:
        connection.execute(_ALL_MEMORY)
        return load_set(connection, staged)


def _needs_no_count(own: StagedSet) -> bool:
    """Whether a set is loaded and its report needs no look into the database."""
    return "traces" not in own.manifest.rows and not own.path.exists()


def _plain_report(own: StagedSet) -> SetReport:
    manifest = own.manifest
    return SetReport(own.path.name, (manifest.scope_column, manifest.scope_values), manifest.rows, 0)


def _create_database(database: Path) -> None:
    """Make a file with our tables; it gets its name when it is complete. The caller holds the lock."""
    unfinished = database.with_name(f"{database.name}.new")
    # A log without its database would be replayed into the new file.
    for name in (unfinished.name, f"{unfinished.name}.wal", f"{database.name}.wal"):
        database.with_name(name).unlink(missing_ok=True)
    with duckdb.connect(unfinished, config=dict(_CONFIG)) as connection:
        connection.execute(SCHEMA_SQL)
        connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
    unfinished.rename(database)


def _check_schema(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Make sure that the tables are ours.

    Raises:
        StoreError: the file was made by another version, or by another program.
    """
    try:
        versions = [row[0] for row in connection.execute("SELECT version FROM schema_version").fetchall()]
    except duckdb.CatalogException:
        raise StoreError(_unusable(database, "it was made by another program")) from None
    if versions != [SCHEMA_VERSION]:
        found = " ".join(map(str, versions)) or "unknown"
        raise StoreError(
            _unusable(database, f"it has layout {found}, and this program reads layout {SCHEMA_VERSION}")
        )


def _unusable(database: Path, reason: str) -> str:
    return (
        f"{database} cannot be used: {reason}. Move it away and run again: the store is rebuilt from the "
        "trace files in the inbox."
    )


def _is_held(error: duckdb.Error) -> bool:
    """Whether a connection failed because somebody else has the file open."""
    text = str(error)
    return "Could not set lock" in text or "different configuration" in text


def _holder(error: duckdb.Error) -> str:
    """The process that has the file open, as DuckDB names it."""
    text = str(error)
    if "different configuration" in text:
        return "this very process, with a connection of its own"
    _, _, rest = text.partition("held in ")
    return rest.split(". See also")[0].strip() or text
