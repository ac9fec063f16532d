"""`t2s export` and `t2s check`: handing a skill to a client, and whether a client will take it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.commands.history import require_skill
from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills.document import Document
from t2s_pipeline.skills.export import export_skill
from t2s_pipeline.skills.spec import body_size, check_skill_directory
from t2s_pipeline.skills.tree import SKILL_FILE


class Exported(BaseModel):
    """The object that `t2s export --json` prints."""

    model_config = ConfigDict(frozen=True)

    skill: str
    path: str
    """The directory or the archive that was written."""


class Checked(BaseModel):
    """The object that `t2s check --json` prints."""

    model_config = ConfigDict(frozen=True)

    path: str
    problems: list[str]
    lines: int
    """Of the body of SKILL.md."""
    tokens: int
    """Estimated tokens of the body of SKILL.md."""


def export(pipeline: Pipeline, skill: str, to: Path, *, force: bool) -> Exported:
    """Copy a published skill into a client's folder of skills, or pack it.

    Raises:
        SkillInvalid: there is no such skill, it breaks the specification, or something that this program did
            not write is in the way and `force` is not given.
    """
    require_skill(pipeline, skill)
    return Exported(skill=skill, path=str(export_skill(pipeline.paths, skill, to.expanduser(), force=force)))


def check(path: Path) -> Checked:
    """Whether a skill directory, ours or another's, keeps to the specification and to our limits.

    Raises:
        SkillInvalid: there is no directory at `path`, or of the SKILL.md named by it.
    """
    directory = path.parent if path.name == SKILL_FILE else path
    if not directory.is_dir():
        raise SkillInvalid(f"{path} is not a skill directory.")
    page = directory / SKILL_FILE
    lines, tokens = body_size(Document.parse(page.read_bytes())) if page.is_file() else (0, 0)
    return Checked(path=str(directory), problems=check_skill_directory(directory), lines=lines, tokens=tokens)
