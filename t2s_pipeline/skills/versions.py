"""Every state a skill has been in, by content hash: snapshots, what is known about them, which is published.

    data/versions/<skill>/<version>/          the directory, as it was or would be published
    data/versions/<skill>/<version>.json      VersionRecord
    data/versions/<skill>/<version>.lessons   ids of the lessons its rules rest on, one a line
    data/versions/<skill>/published.jsonl     one line each time a version was put in place

Files are the truth; the `versions` table of the store is a copy of them for queries.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

import orjson
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.skills.edits import Patch
from t2s_pipeline.skills.tree import FileBody, SkillTree, read_tree, sync_directory, write_tree

MOST_LESSON_IDS = 200
"""Ids listed in a record; the numbers are always complete."""

_VERSION = re.compile(r"[0-9a-f]{12}")


class VersionRecord(BaseModel):
    """What is known about one version of a skill."""

    model_config = ConfigDict(frozen=True)

    skill: str
    version: str
    parent: str | None
    """The version that was in place when this one was made."""
    created_at: str
    """ISO 8601, UTC."""
    origin: Literal["generated", "merged", "hand"]
    """Written by the pipeline; the pipeline's with a person's edits kept; a person's edits as found."""
    generated: str | None
    """The version the pipeline alone would have written: the ancestor of the next three-way merge."""
    rules: int
    lessons: int
    lessons_added: int = 0
    lessons_removed: int = 0
    added: tuple[str, ...] = ()
    """Lesson ids, the first of them in order."""
    removed: tuple[str, ...] = ()
    patch: Patch | None = None
    """Edits to the base skill, where there is one."""
    problems: tuple[str, ...] = ()
    model_calls: int = 0
    """Model calls spent on writing; the deterministic writer spends none."""


class Publication(BaseModel):
    """A version was put in place."""

    model_config = ConfigDict(frozen=True)

    version: str
    at: str
    why: Literal["published", "rolled back"]
    instead_of: str | None = None
    """The version that was in place before; after a roll back it is not published again."""


class Versions:
    """The versions of one skill on disk."""

    def __init__(self, paths: DataPaths, skill: str) -> None:
        self.skill = skill
        self.folder = paths.versions / skill

    def directory(self, version: str) -> Path:
        """Where the snapshot of a version lies, whether it exists or not."""
        if not _VERSION.fullmatch(version):
            raise SkillInvalid(f"{version!r} is not a version: 12 hex digits.")
        return self.folder / version

    def lock(self) -> FileLock:
        """Held while the directory in place is read, merged and replaced; one holder at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock")

    def exists(self, version: str) -> bool:
        """Whether there is such a version; what cannot be the name of one is none."""
        if not _VERSION.fullmatch(version):
            return False
        return self.directory(version).is_dir() and self._record_path(version).is_file()

    def tree(self, version: str) -> dict[str, FileBody]:
        """The files of a version. Raises SkillInvalid when there is no such version."""
        if not self.exists(version):
            raise SkillInvalid(f"Skill {self.skill} has no version {version}. See `t2s log {self.skill}`.")
        return read_tree(self.directory(version)).files

    def record(self, version: str) -> VersionRecord:
        """What is known about a version. Raises SkillInvalid when there is no such version, or when what is
        known about it is damaged."""
        if not self.exists(version):
            raise SkillInvalid(f"Skill {self.skill} has no version {version}. See `t2s log {self.skill}`.")
        path = self._record_path(version)
        try:
            return VersionRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise SkillInvalid(
                f"{path} is damaged. Restore it, or delete it and run again: the version is then unknown."
            ) from error

    def records(self) -> list[VersionRecord]:
        """All versions, oldest first."""
        if not self.folder.is_dir():
            return []
        names = [path.stem for path in self.folder.glob("*.json") if _VERSION.fullmatch(path.stem)]
        found = [self.record(name) for name in names if self.exists(name)]
        return sorted(
            found, key=lambda record: (record.created_at, record.origin != "generated", record.version)
        )

    def matching(self, beginning: str) -> str:
        """The one version that starts with these digits. Raises SkillInvalid for none or several."""
        found = [record.version for record in self.records() if record.version.startswith(beginning)]
        if len(found) != 1 or not beginning:
            what = "no version" if not found else f"{len(found)} versions"
            raise SkillInvalid(f"Skill {self.skill} has {what} starting with {beginning!r}.")
        return found[0]

    def lessons(self, version: str) -> frozenset[str]:
        """Ids of the lessons the rules of a version rest on."""
        path = self.folder / f"{version}.lessons"
        return frozenset(path.read_text(errors="replace").split()) if path.is_file() else frozenset()

    def keep(self, record: VersionRecord, tree: SkillTree, lessons: Iterable[str]) -> VersionRecord:
        """Store a version unless it is there already; what is stored is returned.

        The record is written last: a version without one does not exist.
        """
        if self.exists(record.version):
            return self.record(record.version)
        ids = sorted(set(lessons))
        before = self.lessons(record.parent) if record.parent else frozenset()
        added, removed = sorted(set(ids) - before), sorted(before - set(ids))
        record = record.model_copy(
            update={
                "lessons": len(ids),
                "lessons_added": len(added),
                "lessons_removed": len(removed),
                "added": tuple(added[:MOST_LESSON_IDS]),
                "removed": tuple(removed[:MOST_LESSON_IDS]),
            }
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        writing = self.folder / f".writing-{record.version}"
        shutil.rmtree(writing, ignore_errors=True)
        write_tree(writing, tree)
        shutil.rmtree(self.directory(record.version), ignore_errors=True)
        writing.rename(self.directory(record.version))
        _write_whole(self.folder / f"{record.version}.lessons", "\n".join(ids).encode())
        _write_whole(self._record_path(record.version), record.model_dump_json().encode())
        return record

    def publications(self) -> list[Publication]:
        """Each time a version was put in place, oldest first. A half-written last line is left out. Raises
        SkillInvalid when another line is damaged."""
        path = self.folder / "published.jsonl"
        if not path.is_file():
            return []
        lines = path.read_bytes().split(b"\n")[:-1]
        try:
            return [Publication.model_validate_json(line) for line in lines if line]
        except ValidationError as error:
            raise SkillInvalid(
                f"{path} is damaged. Restore it, or delete the lines that are no JSON: they say when which "
                "version was put in place."
            ) from error

    def before(self, version: str) -> str | None:
        """The version that was in place when this one was last published; None when there was none."""
        for publication in reversed(self.publications()):
            if publication.version == version and publication.why == "published":
                return publication.instead_of
        return None

    def publish(self, publication: Publication) -> None:
        """Note that a version was put in place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_publications([*self.publications(), publication])

    def delete(self, gone: Collection[str]) -> None:
        """Delete versions for good, and every mention of them: as parents, and as published."""
        if not gone:
            return
        kept: list[Publication] = []
        for entry in self.publications():
            before = kept[-1].version if kept else None
            if entry.version in gone:
                continue
            if entry.instead_of in gone:
                if entry.version == before:
                    continue  # it was in place before what is gone, and after it
                entry = entry.model_copy(update={"instead_of": before})
            kept.append(entry)
        self._write_publications(kept)
        for record in self.records():
            if record.version in gone:
                # A version without its record does not exist, whatever a killed program leaves of it.
                self._record_path(record.version).unlink()
            elif record.parent in gone:
                body = record.model_copy(update={"parent": None}).model_dump_json()
                _write_whole(self._record_path(record.version), body.encode())
        for version in gone:
            shutil.rmtree(self.directory(version), ignore_errors=True)
            (self.folder / f"{version}.lessons").unlink(missing_ok=True)

    def _write_publications(self, whole: Sequence[Publication]) -> None:
        body = b"".join(orjson.dumps(entry.model_dump()) + b"\n" for entry in whole)
        _write_whole(self.folder / "published.jsonl", body)

    def _record_path(self, version: str) -> Path:
        return self.folder / f"{version}.json"


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never half of it."""
    writing = path.with_name(f".writing-{path.name}")
    with writing.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    writing.replace(path)
    sync_directory(path.parent)
