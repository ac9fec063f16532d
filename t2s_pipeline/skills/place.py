"""The directory in place: which version it is, putting another version there, and telling the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.skills.document import Document
from t2s_pipeline.skills.frontmatter import read_frontmatter
from t2s_pipeline.skills.lineage_file import Lineage, read_lineage
from t2s_pipeline.skills.swap import discard, exchange, recover, replace_directory
from t2s_pipeline.skills.tree import LINEAGE_FILE, SKILL_FILE, SkillTree, content_hash, read_tree
from t2s_pipeline.skills.versions import Publication, VersionRecord, Versions
from t2s_pipeline.store.frames import frame
from t2s_pipeline.store.store import Store


def timestamp(now: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return now.astimezone(UTC).isoformat(timespec="seconds")


class Place:
    """data/skills/<skill>: read, and replaced as a whole."""

    def __init__(self, paths: DataPaths, versions: Versions) -> None:
        self.path: Path = paths.skills / versions.skill
        self.versions = versions

    def files(self) -> SkillTree | None:
        """What lies there now; None when nothing does. Raises SkillInvalid for anything but a directory."""
        self._require_directory()
        return read_tree(self.path).files if self.path.is_dir() else None

    def deployed(self, files: SkillTree) -> str | None:
        """The version these files are, or were made from by hand; None when they are not ours.

        Asked are, in this order, the lineage file, the frontmatter, and the list of publications.
        """
        for version in (_in_lineage(files), _in_frontmatter(files)):
            if version is not None and self.versions.exists(version):
                return version
        if LINEAGE_FILE in files or _in_frontmatter(files) is not None:
            return None
        for publication in reversed(self.versions.publications()):
            if self.versions.exists(publication.version):
                return publication.version
        return None

    def version_of(self, files: SkillTree) -> str | None:
        """The version these files are, be it one that a person made; else `deployed`."""
        version = content_hash(files)
        return version if self.versions.exists(version) else self.deployed(files)

    def recover(self, now: datetime) -> None:
        """Finish what a program that died while replacing the directory left behind; nothing is lost."""

        def keep(files: SkillTree) -> None:
            if not self.versions.exists(content_hash(files)):
                self.keep_hand_edits(files, self.deployed(files), now)

        self._require_directory()
        recover(self.path, keep)
        files = self.files()
        deployed = self.deployed(files) if files else None
        publications = self.versions.publications()
        if deployed is not None and (not publications or publications[-1].version != deployed):
            # put in place by a program that died before it could say so
            self.versions.publish(
                Publication(
                    version=deployed,
                    at=timestamp(now),
                    why="published",
                    instead_of=publications[-1].version if publications else None,
                )
            )

    def _require_directory(self) -> None:
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise SkillInvalid(
                f"{self.path} is a link or a file where the directory of the skill has to be. Move it away "
                "and run again; `t2s export` copies a skill to other places."
            )

    def keep_hand_edits(self, files: SkillTree, parent: str | None, now: datetime) -> str:
        """Store what a person made of a version as a version of its own; its id is returned."""
        version = content_hash(files)
        before = self.versions.record(parent) if parent else None
        record = VersionRecord(
            skill=self.versions.skill,
            version=version,
            parent=parent,
            created_at=timestamp(now),
            origin="hand",
            generated=before.generated if before else None,
            rules=before.rules if before else 0,
            lessons=0,
        )
        self.versions.keep(record, files, self.versions.lessons(parent) if parent else ())
        return version

    def put(self, version: str, expected: SkillTree | None, publication: Publication, now: datetime) -> bool:
        """Put a stored version in place; False, with nothing changed, when somebody wrote there meanwhile.

        `expected` is what the caller found there and made its decision from.
        """
        old = replace_directory(self.path, self.versions.tree(version))
        if old is not None:
            if expected is None or content_hash(read_tree(old).files) != content_hash(expected):
                if exchange(old, self.path):
                    discard(old, self.path)
                    return False
                self.keep_hand_edits(read_tree(old).files, publication.instead_of, now)
            discard(old, self.path)
        self.versions.publish(publication)
        return True


def project_versions(store: Store, place: Place) -> None:
    """Copy what the files say about versions and published rules into the store, for queries."""
    skill, files = place.versions.skill, place.files() or {}
    lineage = lineage_of(files)
    current = place.version_of(files)
    rules = (
        {
            **rule.model_dump(include={"rule_id", "cluster_id", "path", "text"}),
            "skill": skill,
            "version": lineage.version,
            "first_line": rule.line,
            "last_line": rule.line,
        }
        for rule in (lineage.rules if lineage else ())
        if lineage
    )
    versions = (
        {
            **record.model_dump(include={"skill", "version", "parent", "created_at", "rules", "lessons"}),
            "published": record.version == current,
            "body": record.model_dump_json(),
        }
        for record in place.versions.records()
    )
    store.replace({"skill": skill}, {"rules": frame("rules", rules), "versions": frame("versions", versions)})


def lineage_of(files: SkillTree) -> Lineage | None:
    """The lineage file of a directory; None without a readable one."""
    if LINEAGE_FILE not in files:
        return None
    try:
        return read_lineage(files[LINEAGE_FILE].data)
    except SkillInvalid:
        return None


def _in_lineage(files: SkillTree) -> str | None:
    lineage = lineage_of(files)
    return lineage.version if lineage else None


def _in_frontmatter(files: SkillTree) -> str | None:
    if SKILL_FILE not in files:
        return None
    try:
        metadata = read_frontmatter(Document.parse(files[SKILL_FILE].data)).get("metadata")
    except SkillInvalid:
        return None
    if not isinstance(metadata, dict) or not str(metadata.get("generator", "")).startswith("t2s-pipeline"):
        if not isinstance(metadata, dict) or "t2s-version" not in metadata:
            return None
        return str(metadata["t2s-version"])
    return str(metadata.get("t2s-version") or metadata.get("version"))
