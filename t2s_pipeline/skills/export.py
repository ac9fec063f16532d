"""A published skill, handed out: copied into a client's skills folder, or packed as a `.skill` file."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.skills.place import lineage_of
from t2s_pipeline.skills.spec import check_skill_tree
from t2s_pipeline.skills.swap import discard, replace_directory
from t2s_pipeline.skills.tree import (
    LINEAGE_FILE,
    SKILL_FILE,
    FileBody,
    SkillTree,
    content_hash,
    read_tree,
)
from t2s_pipeline.skills.versions import Versions

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time given to every entry of an archive, so that the same skill gives the same bytes."""

_NOT_OURS = (
    "holds something this program did not write, or a person's edits; move it away or export with force."
)


def export_skill(paths: DataPaths, skill: str, to: Path, *, force: bool = False) -> Path:
    """Copy the published skill to `to`, and return what was written.

    `to` ending in `.skill` or `.zip` is an archive with the directory inside; any other path is a folder
    of skills such as `.claude/skills`, where the directory `<skill>` is put in place as a whole.

    Raises SkillInvalid when the skill is not published or breaks the specification, when the place cannot be
    written to, or when something is there that this program did not write and `force` is not given. A folder
    in the place of an archive, or a file in the place of a folder, is never replaced.
    """
    source = paths.skills / skill
    if not (source / SKILL_FILE).is_file():
        raise SkillInvalid(f"Skill {skill} is not published in {paths.skills}. Run `t2s run` first.")
    files = read_tree(source).files
    problems = check_skill_tree(skill, files)
    if problems:
        raise SkillInvalid(f"Skill {skill} cannot be exported: {problems[0]}")
    packed = to.suffix in (".skill", ".zip")
    target = to if packed else to / skill
    if target.is_symlink():
        raise SkillInvalid(f"{target} is a symbolic link; remove it first.")
    try:
        there = _unpacked(skill, target) if packed else _found(target)
        replaceable = force or _is_ours(paths, skill, there)
        if packed:
            _write_archive(target, skill, files, replaceable=replaceable)
        else:
            _write_directory(target, files, replaceable=replaceable)
    except OSError as error:
        raise SkillInvalid(f"{to} cannot be written: {error.strerror or error}.") from error
    return target


def _write_archive(target: Path, skill: str, files: SkillTree, *, replaceable: bool) -> None:
    if target.is_dir():
        raise SkillInvalid(
            f"{target} is a folder. Name a file to write, or a folder of skills whose name does not end in "
            f"{target.suffix}."
        )
    if target.exists() and not replaceable:
        raise SkillInvalid(f"{target} {_NOT_OURS}")
    target.parent.mkdir(parents=True, exist_ok=True)
    writing = target.with_name(f".writing-{target.name}")
    try:
        writing.write_bytes(archive(skill, files))
        writing.replace(target)
    finally:
        writing.unlink(missing_ok=True)


def _write_directory(target: Path, files: SkillTree, *, replaceable: bool) -> None:
    for place in (target.parent, target):
        if place.exists() and not place.is_dir():
            raise SkillInvalid(
                f"{place} is a file where a folder has to be; remove it or name another place."
            )
    if target.exists() and not replaceable:
        raise SkillInvalid(f"{target} {_NOT_OURS}")
    old = replace_directory(target, files)
    if old is not None:
        discard(old, target)


def archive(skill: str, files: SkillTree) -> bytes:
    """A zip of the directory; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, body in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{skill}/{path}", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, where the mode below means something
            entry.external_attr = (0o100755 if body.executable else 0o100644) << 16
            packed.writestr(entry, body.data)
    return out.getvalue()


def _is_ours(paths: DataPaths, skill: str, there: SkillTree) -> bool:
    """Whether what is in place is an unchanged export of a version of this skill."""
    lineage = lineage_of(there)
    return (
        lineage is not None and lineage.skill == skill and Versions(paths, skill).exists(content_hash(there))
    )


def _found(target: Path) -> SkillTree:
    return read_tree(target).files if target.is_dir() else {}


def _unpacked(skill: str, target: Path) -> SkillTree:
    """The files of an archive that has the shape of ours; nothing for any other file."""
    if not target.is_file() or not zipfile.is_zipfile(target):
        return {}
    inside = f"{skill}/"
    try:
        with zipfile.ZipFile(target) as packed:
            entries = packed.infolist()
            names = {entry.filename for entry in entries}
            if f"{inside}{LINEAGE_FILE}" not in names or not all(name.startswith(inside) for name in names):
                return {}
            return {
                entry.filename.removeprefix(inside): FileBody(
                    packed.read(entry), bool(entry.external_attr >> 16 & 0o100)
                )
                for entry in entries
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return {}
