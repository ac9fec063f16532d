"""Looking back over the versions of a skill, and going back."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.skills.disclosure import Secrets, lines_of_people, require_nothing_disclosed
from t2s_pipeline.skills.document import split_lines
from t2s_pipeline.skills.lineage_file import Lineage
from t2s_pipeline.skills.place import Place, lineage_of, project_versions, timestamp
from t2s_pipeline.skills.tree import LINEAGE_FILE, SkillTree, content_hash, without_version
from t2s_pipeline.skills.versions import Publication, VersionRecord, Versions
from t2s_pipeline.store.store import Store


class LogEntry(BaseModel):
    """One version, as `t2s log` shows it."""

    model_config = ConfigDict(frozen=True)

    record: VersionRecord
    in_place: bool
    """The directory holds this version now, or a person's edits of it."""
    times_published: int


class RuleChange(BaseModel):
    """A rule that differs between two versions; `before` or `after` is None where it is not there."""

    model_config = ConfigDict(frozen=True)

    rule_id: str
    before: str | None
    after: str | None


class SkillDiff(BaseModel):
    """What changed from one version of a skill to another."""

    model_config = ConfigDict(frozen=True)

    skill: str
    before: str
    after: str
    rules: tuple[RuleChange, ...]
    text: str
    """Unified diff of all files but the lineage file."""


def log(paths: DataPaths, skill: str) -> list[LogEntry]:
    """Versions of a skill, newest first; those never put in place are left out.

    Raises SkillInvalid when the skill has no version.
    """
    versions = Versions(paths, skill)
    published = [publication.version for publication in versions.publications()]
    place = Place(paths, versions)
    files = place.files()
    current = place.version_of(files) if files else None
    shown = [
        LogEntry(
            record=record,
            in_place=record.version == current,
            times_published=published.count(record.version),
        )
        for record in versions.records()
        if record.version in published or record.version == current or record.origin == "hand"
    ]
    # Of versions made in one second, those that were published came after the hand edits they replaced.
    first = {version: place for place, version in reversed(list(enumerate(published)))}
    shown.sort(key=lambda entry: (entry.record.created_at, first.get(entry.record.version, -1)))
    if not shown:
        raise SkillInvalid(f"Skill {skill} has no versions yet. Run `t2s run` first.")
    return shown[::-1]


def diff(paths: DataPaths, skill: str, before: str | None = None, after: str | None = None) -> SkillDiff:
    """What changed between two versions, named by their first digits.

    Without `after`, what lies in place now; without `before`, the version that was published before
    `after`, or, where `after` is a person's edit, the version they edited. Raises SkillInvalid for a
    version that does not exist or is not unique.
    """
    versions = Versions(paths, skill)
    place = Place(paths, versions)
    if after is None:
        files = place.files()
        if files is None:
            raise SkillInvalid(f"Skill {skill} is not published in {place.path}.")
        new, name = files, content_hash(files)
        deployed = place.deployed(files)
        parent = deployed if deployed != name else _published_parent(versions, name)
    else:
        name = versions.matching(after)
        new, parent = versions.tree(name), _published_parent(versions, name)
    old_name = versions.matching(before) if before is not None else parent
    old = versions.tree(old_name) if old_name else {}
    return SkillDiff(
        skill=skill,
        before=old_name or "nothing",
        after=name,
        rules=tuple(rule_changes(lineage_of(old), lineage_of(new))),
        text=tree_diff(old, new),
    )


def rollback(
    paths: DataPaths,
    skill: str,
    to: str | None = None,
    *,
    now: datetime,
    store: Store | None = None,
    secrets: Secrets | None = None,
) -> VersionRecord:
    """Put an earlier version in place: `to` by its first digits, or the one published before this one.

    What is in place now is kept as a version first if a person has changed it. The version left is not
    published again until there is something new to say. Raises SkillInvalid when there is none to go to, or
    when it would disclose one of `secrets`, which may have become known since it was made.
    """
    versions = Versions(paths, skill)
    if not versions.folder.is_dir():
        raise SkillInvalid(f"Skill {skill} has no versions yet.")
    with versions.lock():
        place = Place(paths, versions)
        place.recover(now)
        files = place.files()
        current = place.deployed(files) if files else None
        if files and content_hash(files) != current:
            place.keep_hand_edits(files, current, now)
        target = versions.matching(to) if to is not None else _published_before(versions, current)
        publication = Publication(version=target, at=timestamp(now), why="rolled back", instead_of=current)
        if target == current and files and content_hash(files) == current:
            raise SkillInvalid(f"Version {target} of {skill} is in place already.")
        if secrets is not None:
            tree = versions.tree(target)
            require_nothing_disclosed(skill, [tree], lines_of_people(tree), secrets)
        if not place.put(target, files, publication, now):
            raise SkillInvalid(f"{place.path} is being written to by another program; roll back again later.")
        if store is not None:
            project_versions(store, place)
        return versions.record(target)


def _published_before(versions: Versions, current: str | None) -> str:
    before = versions.before(current) if current else None
    if before is None or not versions.exists(before):
        raise SkillInvalid(f"Skill {versions.skill} has no version before the one in place.")
    return before


def _published_parent(versions: Versions, version: str) -> str | None:
    """The version before, past what a person made of it."""
    before = versions.before(version) or versions.record(version).parent
    while before is not None and versions.exists(before) and versions.record(before).origin == "hand":
        before = versions.record(before).parent
    return before


def rule_changes(before: Lineage | None, after: Lineage | None) -> list[RuleChange]:
    """The rules that differ, those of `after` first; a rule whose counts changed differs too."""
    old = {rule.rule_id: rule.text for rule in (before.rules if before else ())}
    new = {rule.rule_id: rule.text for rule in (after.rules if after else ())}
    ids = [*new, *(rule_id for rule_id in old if rule_id not in new)]
    return [
        RuleChange(rule_id=rule_id, before=old.get(rule_id), after=new.get(rule_id))
        for rule_id in ids
        if old.get(rule_id) != new.get(rule_id)
    ]


def tree_diff(before: SkillTree, after: SkillTree) -> str:
    """Unified diff of two directories; files that are not text are only named."""
    parts: list[str] = []
    for path in sorted({*before, *after} - {LINEAGE_FILE}):
        old, new = (
            without_version(path, tree[path].data) if path in tree else b"" for tree in (before, after)
        )
        if old == new and (path in before) == (path in after):
            continue
        left, right = _text_lines(old), _text_lines(new)
        if left is None or right is None:
            parts.append(f"Binary files a/{path} and b/{path} differ\n")
            continue
        names = (
            f"a/{path}" if path in before else "/dev/null",
            f"b/{path}" if path in after else "/dev/null",
        )
        for line in difflib.unified_diff(left, right, *names):
            parts.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(parts)


def _text_lines(data: bytes) -> Sequence[str] | None:
    try:
        return split_lines(data.decode("utf-8"))
    except UnicodeDecodeError:
        return None
