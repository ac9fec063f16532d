"""A published skill, handed out: copied into a client's skills folder, or packed as a `.skill` file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.skills.place import lineage_of
from t2s_pipeline.skills.spec import check_skill_tree
from t2s_pipeline.skills.swap import discard, replace_directory
from t2s_pipeline.skills.tree import SKILL_FILE, SkillTree, content_hash, read_tree
from t2s_pipeline.skills.versions import Versions

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time given to every entry of an archive, so that the same skill gives the same bytes."""


def export_skill(paths: DataPaths, skill: str, to: Path, *, force: bool = False) -> Path:
    """Copy the published skill to `to`, and return what was written.

    `to` ending in `.skill` or `.zip` is an archive with the directory inside; any other path is a folder
    of skills such as `.claude/skills`, where the directory `<skill>` is put in place as a whole.

    Raises SkillInvalid when the skill is not published or breaks the specification, or when a directory of
    that name is there that this program did not write and `force` is not given.
    """
    source = paths.skills / skill
    if not (source / SKILL_FILE).is_file():
        raise SkillInvalid(f"Skill {skill} is not published in {paths.skills}. Run `t2s run` first.")
    files = read_tree(source).files
    problems = check_skill_tree(skill, files)
    if problems:
        raise SkillInvalid(f"Skill {skill} cannot be exported: {problems[0]}")
    if to.suffix in (".skill", ".zip"):
        to.parent.mkdir(parents=True, exist_ok=True)
        writing = to.with_name(f".writing-{to.name}")
        writing.write_bytes(archive(skill, files))
        writing.replace(to)
        return to
    target = to / skill
    if target.is_symlink():
        raise SkillInvalid(f"{target} is a symbolic link; remove it first.")
    if target.exists() and not force and not _ours(paths, skill, target):
        raise SkillInvalid(
            f"{target} holds something this program did not write, or a person's edits; "
            "move it away or export with force."
        )
    old = replace_directory(target, files)
    if old is not None:
        discard(old, target)
    return target


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


def _ours(paths: DataPaths, skill: str, target: Path) -> bool:
    """Whether a directory is an unchanged export of a version of this skill."""
    files = read_tree(target).files
    lineage = lineage_of(files)
    return (
        lineage is not None and lineage.skill == skill and Versions(paths, skill).exists(content_hash(files))
    )
