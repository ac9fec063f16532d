"""From files in the inbox to batches: what is new or changed, cut into pieces of a sensible size.

A batch is written down as a manifest the moment it is planned; the manifests are the memory of what was
planned. A file whose content was planned before is not planned again, whatever its times say; a changed
file is a new landing. Planning holds a lock, so that several processes never plan a file twice.
"""

from __future__ import annotations

import fnmatch
import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import orjson
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_pipeline.errors import StoreError
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.traces.formats import all_formats
from t2s_pipeline.traces.outcome_files import NAMES as OUTCOME_NAMES
from t2s_pipeline.traces.outcome_files import fingerprint, folders_of, outcome_files
from t2s_pipeline.traces.reading import count_records

DEFAULT_SKILL = "default"
"""Skill of files that lie directly in the inbox."""

_TEMPORARY = ("*.tmp", "*.temp", "*.part", "*.partial", "*.crdownload", "*.swp", "*.lock", "*~")
_DOCUMENTS = ("readme*", "license*", "licence*", "notice*")
_NOT_SKILL = re.compile(r"[^a-z0-9]+")
_SKILL_CHARACTERS = 64
"""Longest skill name the Agent Skills specification allows."""
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]|\\udc[89a-f][0-9a-f]")
"""Bytes of a file name that are no text: as the system gives them, and as they are written down."""
_SEEN = ".seen.json"
_READ_BYTES = 1 << 20


class FileSlice(BaseModel):
    """A run of records of one file."""

    model_config = ConfigDict(frozen=True)

    path: str
    """Relative to the data root, with forward slashes."""
    sha256: str
    """Of the file when it was planned; empty when it could not be read."""
    size: int
    first_record: int = 0
    records: int | None = None
    """How many records; None for all from `first_record` on."""
    copy_of: str | None = None
    """Path of a file with the same bytes that was planned before: as long as that file is there, every
    record of this one is a duplicate."""


class Batch(BaseModel):
    """Traces of one skill that landed together: one partition."""

    model_config = ConfigDict(frozen=True)

    key: str
    skill: str
    slices: tuple[FileSlice, ...]
    traces: int
    """Records in it; what turns out to be a duplicate or unreadable is counted here too."""
    outcomes: str = ""
    """Fingerprint of the outcome files that spoke about it when it was planned."""


def plan_batches(paths: DataPaths, settings: Settings, *, quiet_before: float | None = None) -> list[Batch]:
    """Plans every new or changed file of the inbox and returns the batches to be ingested.

    A batch planned before is returned again when an outcome file beside its traces has changed.
    `quiet_before` is a modification time in seconds since the epoch: files modified after it may still be
    written to and are left for the next call. A file that changes while it is looked at is left, too.
    """
    if not paths.inbox.is_dir():
        return []
    paths.batches.mkdir(parents=True, exist_ok=True)
    with FileLock(paths.batches / ".lock"):
        known = all_batches(paths)
        found = _Seen(paths)
        new = _new_files(paths, settings, known, found, quiet_before)
        batches = _cut(new, known, settings)
        batches += _relabelled(known, paths)
        for batch in reversed(batches):
            _write(paths.batches / f"{batch.key}.json", batch.model_dump_json(indent=1).encode())
        found.save()
        return batches


def load_batch(paths: DataPaths, key: str) -> Batch:
    """The manifest of a batch. Raises FileNotFoundError when there is none of that key."""
    return _manifest(paths.batches / f"{key}.json")


def all_batches(paths: DataPaths) -> list[Batch]:
    """Every batch ever planned, in key order (which is landing order within a skill).

    Raises StoreError for a manifest that is damaged: nobody knows what it planned."""
    files = sorted(one for one in paths.batches.glob("*.json") if not one.name.startswith("."))
    return [_manifest(one) for one in files]


def _manifest(file: Path) -> Batch:
    try:
        return Batch.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise StoreError(
            f"{file} is damaged, so nobody knows which files were planned in it. Delete it: they are then "
            "planned anew, and traces that were read before count as duplicates."
        ) from error


def skill_of(path: Path, inbox: Path) -> str:
    """The skill a file belongs to: its first folder, as a name the Agent Skills specification allows."""
    parts = path.relative_to(inbox).parts
    if len(parts) < 2:
        return DEFAULT_SKILL
    name = _NOT_SKILL.sub("-", parts[0].lower()).strip("-")[:_SKILL_CHARACTERS].strip("-")
    return name or DEFAULT_SKILL


def refusal(path: Path, inbox: Path) -> str | None:
    """Why a path of the inbox must not be opened, or None. Opening a pipe or a device may never end."""
    if _NOT_UTF8.search(str(path.relative_to(inbox))):
        return "its name, or that of a folder around it, is not UTF-8: rename it"
    try:
        target = path.resolve(strict=True)
        kind = target.stat().st_mode
    except FileNotFoundError:
        return "a symbolic link to nothing (its target does not exist)" if path.is_symlink() else None
    except (OSError, RuntimeError) as error:
        return f"the path cannot be followed: {error}"
    if not target.is_relative_to(inbox.resolve()):
        return "a symbolic link that leads outside the inbox: copy the file into the inbox instead"
    if S_ISDIR(kind):
        return None if os.access(target, os.R_OK | os.X_OK) else "this user may not look into the folder"
    return None if S_ISREG(kind) else "not a regular file"


def is_trace_name(name: str) -> bool:
    """Whether a file of that name can be a trace: not hidden, temporary, a document or an outcome file."""
    lower = name.lower()
    if lower.startswith(".") or lower in OUTCOME_NAMES:
        return False
    return not any(fnmatch.fnmatch(lower, pattern) for pattern in (*_TEMPORARY, *_DOCUMENTS))


class _Landed(BaseModel):
    """A file to be planned."""

    path: str
    skill: str
    sha256: str
    size: int
    records: int
    outcomes: str
    refused: bool = False
    """It must not be opened; its hash is that of the reason."""
    copy_of: str | None = None


class _Seen:
    """Sizes and times of files already hashed, so that an unchanged inbox costs no reading.

    Only a shortcut: without it every file is hashed again, and the manifests decide."""

    def __init__(self, paths: DataPaths) -> None:
        self._path = paths.batches / _SEEN
        self._root = paths.root
        try:
            loaded = orjson.loads(self._path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            loaded = {}
        self._before: dict[str, list[object]] = loaded if isinstance(loaded, dict) else {}
        self._now: dict[str, list[object]] = {}

    def unchanged(self, relative: str, stat: os.stat_result) -> bool:
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        if self._before.get(relative) == mark:
            self._now[relative] = list(mark)
            return True
        return False

    def remember(self, relative: str, stat: os.stat_result) -> None:
        self._now[relative] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]

    def save(self) -> None:
        if self._now != self._before:
            _write(self._path, orjson.dumps(self._now))


class _Planned:
    """What the manifests say was planned before, and what is being planned now."""

    def __init__(self, known: Sequence[Batch]) -> None:
        self._newest: dict[str, tuple[str, str]] = {}
        """Skill and hash by path. Manifests come in landing order."""
        for batch in known:
            for part in batch.slices:
                # The first slice of a file is written last: without it, planning was interrupted.
                if part.first_record == 0:
                    self._newest[part.path] = (batch.skill, part.sha256)

    def has(self, relative: str, sha256: str | None = None) -> bool:
        """Whether the file was planned, with this content last or with any. A file that is put back to what
        it was lands again: the store has what it held in between.
        """
        planned = self._newest.get(relative)
        return planned is not None and sha256 in (None, planned[1])

    def with_originals(self, landed: Sequence[_Landed]) -> list[_Landed]:
        """The files with the one of their skill, if it is another, that had the same bytes first and was not
        changed since.
        """
        self._newest.update({one.path: (one.skill, one.sha256) for one in landed})
        first: dict[tuple[str, str], str] = {}
        for path, content in self._newest.items():
            first.setdefault(content, path)
        originals = [first[one.skill, one.sha256] if one.sha256 else one.path for one in landed]
        return [
            one if original == one.path or one.refused else one.model_copy(update={"copy_of": original})
            for one, original in zip(landed, originals, strict=True)
        ]


def _new_files(
    paths: DataPaths, settings: Settings, known: Sequence[Batch], seen: _Seen, quiet_before: float | None
) -> list[_Landed]:
    planned = _Planned(known)
    marks = _Marks(paths.inbox)
    landed: list[_Landed] = []
    for path in _files(paths.inbox):
        relative = _written_down(path.relative_to(paths.root))
        try:
            stat = path.lstat()
            plain = S_ISREG(stat.st_mode) and not _NOT_UTF8.search(relative)
            refused = None if plain else refusal(path, paths.inbox)
            stat = stat if refused else path.stat()
        except OSError:
            continue
        if quiet_before is not None and not refused and stat.st_mtime > quiet_before:
            continue
        if planned.has(relative) and seen.unchanged(relative, stat):
            continue
        if not refused and any(one.is_side_file(path) for one in all_formats()):
            continue
        sha256 = hashlib.sha256(refused.encode()).hexdigest() if refused else _hash(path)
        if not refused and _moved(path, stat):
            continue
        if sha256:
            seen.remember(relative, stat)
        if planned.has(relative, sha256):
            continue
        skill = skill_of(path, paths.inbox)
        landed.append(
            _Landed(
                path=relative,
                skill=skill,
                sha256=sha256,
                size=stat.st_size,
                records=1 if refused or not sha256 else count_records(path, settings),
                outcomes=marks.of(paths.root / relative),
                refused=refused is not None,
            )
        )
    return planned.with_originals(landed)


def _files(inbox: Path) -> Iterator[Path]:
    """Every path of the inbox that may be a trace, in a fixed order; and every folder that cannot be looked
    into, so that it is told of."""
    for folder, names, files in os.walk(inbox):
        here = Path(folder)
        names[:] = sorted(name for name in names if not name.startswith("."))
        closed = [name for name in names if not os.access(here / name, os.R_OK | os.X_OK)]
        names[:] = [name for name in names if name not in closed]
        linked = [name for name in names if (here / name).is_symlink()]
        for name in sorted([*files, *linked, *closed]):
            if name in linked and refusal(here / name, inbox) is None:
                continue  # leads to a folder of the inbox, which is walked anyway
            if not is_trace_name(name):
                continue
            yield here / name


def _cut(landed: Sequence[_Landed], known: Sequence[Batch], settings: Settings) -> list[Batch]:
    batches: list[Batch] = []
    for skill in sorted({one.skill for one in landed}):
        files = [one for one in landed if one.skill == skill]
        landing = 1 + max((_landing(batch.key) for batch in known if batch.skill == skill), default=0)
        total = sum(one.records for one in files)
        most = _Room(
            records=max(settings.batch_traces, math.ceil(total / settings.max_batches_per_landing)),
            bytes=settings.batch_mb * 1e6,
        )
        for number, slices in enumerate(_pieces(files, most)):
            batches.append(
                Batch(
                    key=f"{skill}.{landing:05d}.{number:04d}",
                    skill=skill,
                    slices=tuple(part for part, _, _ in slices),
                    traces=sum(count for _, count, _ in slices),
                    outcomes=_joined([outcomes for _, _, outcomes in slices]),
                )
            )
    return batches


_ROUNDING = 1e-3
"""Bytes that do not count: the size of a record is a mean."""


@dataclass(frozen=True)
class _Room:
    """What a batch has room for."""

    records: int
    bytes: float

    def whole(self, records: int, each: float) -> int:
        """How many of so many records of that many bytes each fit."""
        rest = self.bytes + _ROUNDING
        if rest < 0:
            return 0
        return min(records, self.records, int(rest / each) if each else records)

    def less(self, records: int, each: float) -> _Room:
        """The room left when so many records are in."""
        return _Room(self.records - records, self.bytes - records * each)


def _pieces(files: Sequence[_Landed], most: _Room) -> Iterator[list[tuple[FileSlice, int, str]]]:
    """The files cut into runs of records that fit into a batch; a file that fits in one piece is taken whole,
    and a record that fits into none has one to itself. Records of a file are taken to be of equal size."""
    piece: list[tuple[FileSlice, int, str]] = []
    room = most
    for one in files:
        each = one.size / one.records
        taken = 0
        while taken < one.records:
            count = room.whole(one.records - taken, each)
            if not count and piece:
                yield piece
                piece, room = [], most
                continue
            count = max(count, 1)
            whole = taken == 0 and count == one.records
            part = FileSlice(
                path=one.path,
                sha256=one.sha256,
                size=one.size,
                first_record=taken,
                records=None if whole and one.copy_of is None else count,
                copy_of=one.copy_of,
            )
            piece.append((part, count, one.outcomes))
            taken += count
            room = room.less(count, each)
    if piece:
        yield piece


def _relabelled(known: Sequence[Batch], paths: DataPaths) -> list[Batch]:
    """Batches whose outcome files changed since they were planned; of folders that are gone or closed nobody
    can say."""
    marks = _Marks(paths.inbox)
    changed: list[Batch] = []
    for batch in known:
        folders = {(paths.root / part.path).parent for part in batch.slices}
        if not all(os.access(folder, os.R_OK | os.X_OK) for folder in folders):
            continue
        joined = _joined([marks.of(paths.root / part.path) for part in batch.slices])
        if joined != batch.outcomes:
            changed.append(batch.model_copy(update={"outcomes": joined}))
    return changed


class _Marks:
    """Fingerprints of what stands beside the traces: outcome files, and what a format reads with a file."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        self._folders: dict[Path, list[Path]] = {}

    def of(self, path: Path) -> str:
        """Changes when something beside the file changes; empty when there is nothing."""
        folder = path.parent
        if folder not in self._folders:
            self._folders[folder] = [
                file for one in folders_of(path, self._inbox) for file in outcome_files(one)
            ]
        companions = [file for one in all_formats() for file in one.companions(path)]
        return fingerprint([*self._folders[folder], *companions])


def _written_down(path: Path) -> str:
    """A path as manifests and the store have it; bytes that are no text become escapes."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def _joined(marks: Sequence[str]) -> str:
    return "-".join(dict.fromkeys(mark for mark in marks if mark))


def _landing(key: str) -> int:
    return int(key.rsplit(".", 2)[1])


def _hash(path: Path) -> str:
    """SHA-256 of a file, or nothing when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def _moved(path: Path, before: os.stat_result) -> bool:
    """Whether a file changed since it was first looked at: somebody is writing it."""
    try:
        now = path.stat()
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns)


def _write(path: Path, content: bytes) -> None:
    """Complete or not at all: written beside and renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(content)
    beside.replace(path)
