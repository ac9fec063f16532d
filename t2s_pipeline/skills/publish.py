"""The last step: what was learnt becomes the published skill directory, and the store knows its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.skills.assembly import Sealed, seal
from t2s_pipeline.skills.deepen import deepen_skill
from t2s_pipeline.skills.disclosure import Secrets, lines_of, require_nothing_disclosed, secrets_of
from t2s_pipeline.skills.document import Document
from t2s_pipeline.skills.forgetting import forget_versions
from t2s_pipeline.skills.lineage_file import Lineage
from t2s_pipeline.skills.merge import State, merge_hand_edits
from t2s_pipeline.skills.place import Place, lineage_of, project_versions, timestamp
from t2s_pipeline.skills.sources import Learnt, learnt_from_store
from t2s_pipeline.skills.spec import REFERENCES, body_size, check_skill_tree
from t2s_pipeline.skills.swap import replace_directory
from t2s_pipeline.skills.tree import SKILL_FILE, SkillTree, content_hash, read_tree
from t2s_pipeline.skills.versions import Publication, VersionRecord, Versions
from t2s_pipeline.skills.writer import Generated, create_skill
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.forgotten import tombstones

_ATTEMPTS = 3
"""Times publishing starts again because somebody saved a file in the directory at that moment."""


class PublishReport(BaseModel):
    """What publishing a skill did."""

    model_config = ConfigDict(frozen=True)

    skill: str
    path: Path
    version: str
    parent: str | None
    changed: bool
    """False when the directory in place was already this version."""
    rules: int
    references: int
    """Files in references/."""
    lines: int
    """Lines of the body of SKILL.md."""
    tokens: int
    """Estimated tokens of the body of SKILL.md."""
    problems: tuple[str, ...] = ()
    hand_edited: int = 0
    """Rules that a person rewrote and that were kept as they are."""
    withheld: int = 0
    """Rules that a person deleted and that stay out."""
    proposals: tuple[str, ...] = ()
    """Deleted rules that have much more evidence now; not in the skill, for a person to decide on."""
    forgotten: tuple[str, ...] = ()
    """Versions that were deleted because they rest on a forgotten trace."""


@dataclass(frozen=True)
class _Candidate:
    """What should be in place, and what the pipeline alone would have written."""

    generated: Generated
    pristine: Sealed
    sealed: Sealed
    problems: tuple[str, ...]
    people: frozenset[bytes]
    """Lines that people wrote: in the base skill, or by hand in the directory in place."""


def publish_skill(
    store: Store, paths: DataPaths, settings: Settings, skill: str, *, now: datetime
) -> PublishReport:
    """Write the skill as learnt so far, keep what a person changed, and put it in place.

    The directory in place is the old one or the new one at every moment. When nothing changed, nothing is
    written there and no version is made. A version that was rolled back is not put in place again.

    Raises:
        SkillInvalid: a line of ours would disclose what was redacted, or the base skill cannot be read;
            nothing was written.
    """
    versions = Versions(paths, skill)
    with versions.lock():
        secrets = secrets_of(store, paths, settings)
        report = _put_in_place(paths, settings, learnt_from_store(store, skill), versions, secrets, now)
        place = Place(paths, versions)
        forgotten = [item for item in tombstones(paths).items if item.skill == skill]
        gone = forget_versions(place, forgotten) if forgotten else ()
        if gone:
            store.erase_versions(skill, gone)
        project_versions(store, place)
    parent = None if report.parent in gone else report.parent
    return report.model_copy(update={"forgotten": gone, "parent": parent})


def publish_learnt(paths: DataPaths, settings: Settings, learnt: Learnt, *, now: datetime) -> PublishReport:
    """The same from what was learnt as given, with no store read or written: of what redaction hides, only
    what its rules find is recognised."""
    versions = Versions(paths, learnt.skill)
    with versions.lock():
        secrets = Secrets(config=settings.redaction)
        return _put_in_place(paths, settings, learnt, versions, secrets, now)


def published(paths: DataPaths, skill: str) -> PublishReport | None:
    """What lies in place, in the words of its publication; None when that is no version of ours."""
    versions = Versions(paths, skill)
    with versions.lock():
        place = Place(paths, versions)
        files = place.files()
        version = place.deployed(files) if files else None
        return _report_in_place(place, files, version, ()) if files and version else None


def _put_in_place(
    paths: DataPaths,
    settings: Settings,
    learnt: Learnt,
    versions: Versions,
    secrets: Secrets,
    now: datetime,
) -> PublishReport:
    place = Place(paths, versions)
    place.recover(now)
    for _ in range(_ATTEMPTS):
        report = _attempt(paths, settings, learnt, place, secrets, now)
        if report is not None:
            return report
    raise SkillInvalid(f"{place.path} is being written to by another program; publish again later.")


def _attempt(
    paths: DataPaths, settings: Settings, learnt: Learnt, place: Place, secrets: Secrets, now: datetime
) -> PublishReport | None:
    """One try; None when the directory changed while it was being replaced."""
    versions = place.versions
    problems: list[str] = []
    disk = place.files()
    deployed = place.deployed(disk) if disk else None
    if disk and deployed is None:
        problems += _adopt(paths, place, disk, now)
    candidate = _candidate(paths, settings, learnt, versions, disk, deployed)
    trees = {sealed.version: sealed.files for sealed in (candidate.pristine, candidate.sealed)}
    require_nothing_disclosed(learnt.skill, trees.values(), candidate.people, secrets)
    if disk is not None and content_hash(disk) == candidate.sealed.version:
        return _report(place, candidate, versions.before(candidate.sealed.version), problems, changed=False)
    if disk is not None and deployed is not None and _rolled_back(versions, candidate.pristine.version):
        problems.append(
            f"Version {candidate.pristine.version} was rolled back; version {deployed} stays in place until "
            "there is more to say."
        )
        return _report_in_place(place, disk, deployed, problems)
    parent = deployed
    if disk and content_hash(disk) != deployed:
        parent = place.keep_hand_edits(disk, deployed, now)
    _keep(versions, learnt, candidate, parent, now)
    publication = Publication(
        version=candidate.sealed.version, at=timestamp(now), why="published", instead_of=parent
    )
    if not place.put(candidate.sealed.version, disk, publication, now):
        return None
    return _report(place, candidate, parent, problems, changed=True)


def _adopt(paths: DataPaths, place: Place, disk: SkillTree, now: datetime) -> list[str]:
    """A directory that is in place and was not put there by us: it becomes the base skill, or is kept."""
    base = paths.base / place.versions.skill
    if SKILL_FILE in disk and lineage_of(disk) is None and not base.exists():
        replace_directory(base, disk)
        return [
            f"The skill found in {place.path} was not written by this pipeline; it is the base skill now."
        ]
    version = place.keep_hand_edits(disk, None, now)
    return [f"What was in {place.path} belongs to no known version; it was kept as version {version}."]


def _candidate(
    paths: DataPaths,
    settings: Settings,
    learnt: Learnt,
    versions: Versions,
    disk: SkillTree | None,
    deployed: str | None,
) -> _Candidate:
    base = paths.base / learnt.skill
    problems: list[str] = []
    people: frozenset[bytes] = frozenset()
    if base.is_dir():
        read = read_tree(base)
        problems += read.left_out
        people |= lines_of(read.files)
        generated = deepen_skill(learnt, read.files)
    else:
        generated = create_skill(learnt)
    pristine = seal(learnt, generated)
    problems += generated.problems
    ancestor = versions.record(deployed).generated if deployed else None
    untouched = disk is None or (ancestor == deployed and content_hash(disk) == deployed)
    if disk is None or deployed is None or ancestor is None or untouched:
        return _Candidate(generated, pristine, pristine, tuple(problems), people)
    before, published = versions.tree(ancestor), versions.tree(deployed)
    old_lineage, last_lineage = lineage_of(before), lineage_of(published)
    if old_lineage is None or last_lineage is None:
        raise SkillInvalid(f"Version {ancestor} or {deployed} of {learnt.skill} has lost its lineage file.")
    merged = merge_hand_edits(
        State.of(before, old_lineage),
        last_lineage,
        disk,
        State(generated.files, generated.written),
        {cluster.cluster_id: cluster for cluster in learnt.clusters},
        min_tasks=settings.min_tasks,
    )
    sealed = seal(
        learnt,
        generated,
        files=merged.files,
        written=merged.written,
        withheld=merged.withheld,
        proposals=merged.proposals,
    )
    people |= lines_of(disk) - lines_of(before)
    return _Candidate(generated, pristine, sealed, (*problems, *merged.problems), people)


def _rolled_back(versions: Versions, pristine: str) -> bool:
    """Whether the last thing done was to roll back a version with this generated content."""
    publications = versions.publications()
    if not publications or publications[-1].why != "rolled back":
        return False
    rejected = publications[-1].instead_of
    if rejected is None or not versions.exists(rejected):
        return False
    return pristine in (rejected, versions.record(rejected).generated)


def _keep(
    versions: Versions, learnt: Learnt, candidate: _Candidate, parent: str | None, now: datetime
) -> None:
    """Store the candidate, and what the pipeline alone would have written where that is another thing."""
    lessons = {cluster.cluster_id: cluster.lesson_ids for cluster in learnt.clusters}
    for sealed in {
        candidate.pristine.version: candidate.pristine,
        candidate.sealed.version: candidate.sealed,
    }.values():
        pristine = sealed.version == candidate.pristine.version
        record = VersionRecord(
            skill=learnt.skill,
            version=sealed.version,
            parent=parent,
            created_at=timestamp(now),
            origin="generated" if pristine else "merged",
            generated=candidate.pristine.version,
            rules=len(sealed.lineage.rules),
            lessons=0,
            patch=candidate.generated.patch,
            problems=candidate.problems,
        )
        rest_on = [lesson for rule in sealed.lineage.rules for lesson in lessons.get(rule.cluster_id, ())]
        versions.keep(record, sealed.files, rest_on)


def _report(
    place: Place, candidate: _Candidate, parent: str | None, problems: Sequence[str], *, changed: bool
) -> PublishReport:
    return _report_of(
        place,
        candidate.sealed.files,
        candidate.sealed.lineage,
        version=candidate.sealed.version,
        parent=parent,
        problems=(*problems, *candidate.problems),
        changed=changed,
    )


def _report_in_place(place: Place, files: SkillTree, version: str, problems: Sequence[str]) -> PublishReport:
    return _report_of(
        place,
        files,
        lineage_of(files),
        version=version,
        parent=place.versions.before(version),
        problems=tuple(problems),
        changed=False,
    )


def _report_of(
    place: Place,
    files: SkillTree,
    lineage: Lineage | None,
    *,
    version: str,
    parent: str | None,
    problems: tuple[str, ...],
    changed: bool,
) -> PublishReport:
    lines, tokens = body_size(Document.parse(files[SKILL_FILE].data))
    rules = lineage.rules if lineage else ()
    return PublishReport(
        skill=place.versions.skill,
        path=place.path,
        version=version,
        parent=parent,
        changed=changed,
        rules=len(rules),
        references=sum(path.startswith(f"{REFERENCES}/") for path in files),
        lines=lines,
        tokens=tokens,
        problems=(*problems, *check_skill_tree(place.versions.skill, files)),
        hand_edited=sum(rule.state == "hand_edited" for rule in rules),
        withheld=len(lineage.withheld) if lineage else 0,
        proposals=tuple(item.text for item in lineage.proposals) if lineage else (),
    )
