"""`t2s log`, `t2s diff` and `t2s rollback`: the versions of a skill, what changed, and going back."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills import history
from t2s_pipeline.skills.disclosure import secrets_of
from t2s_pipeline.skills.publish import published
from t2s_pipeline.skills.versions import Versions


class SkillLog(BaseModel):
    """The object that `t2s log --json` prints."""

    model_config = ConfigDict(frozen=True)

    skill: str
    versions: list[history.LogEntry]
    """Newest first."""


class RolledBack(BaseModel):
    """The object that `t2s rollback --json` prints."""

    model_config = ConfigDict(frozen=True)

    skill: str
    version: str
    """In place now."""
    instead_of: str | None
    """In place before; not published again until there is something new to say."""
    rules: int
    path: str


def log(pipeline: Pipeline, skill: str) -> SkillLog:
    """Every version that was in place or that a person made.

    Raises:
        SkillInvalid: there is no such skill, or it has no version yet.
    """
    require_skill(pipeline, skill)
    return SkillLog(skill=skill, versions=history.log(pipeline.paths, skill))


def diff(pipeline: Pipeline, skill: str, before: str | None, after: str | None) -> history.SkillDiff:
    """What changed from `before` (the version that was replaced) to `after` (what lies in place).

    Raises:
        SkillInvalid: there is no such skill, or no single version begins with these digits.
    """
    require_skill(pipeline, skill)
    return history.diff(pipeline.paths, skill, before, after)


def rollback(pipeline: Pipeline, skill: str, version: str | None, *, now: datetime) -> RolledBack:
    """Put an earlier version in place, by default the one before this one. The Dagster UI shows it too.

    Raises:
        SkillInvalid: there is no such skill or version, it is in place already, or it would disclose a value
            that was redacted since.
    """
    require_skill(pipeline, skill)
    secrets = secrets_of(pipeline.store, pipeline.paths, pipeline.settings)
    record = history.rollback(pipeline.paths, skill, version, now=now, store=pipeline.store, secrets=secrets)
    last = Versions(pipeline.paths, skill).publications()[-1]
    report = published(pipeline.paths, skill)
    # Dagster takes seconds to import: only where somebody has an instance to look at.
    if report is not None and (pipeline.paths.dagster / "dagster.yaml").exists():
        from t2s_pipeline.assets.rollback import report_rollback

        update = {"changed": True, "parent": last.instead_of}
        report_rollback(pipeline, report.model_copy(update=update))
    return RolledBack(
        skill=skill,
        version=record.version,
        instead_of=last.instead_of,
        rules=record.rules,
        path=str(pipeline.paths.skills / skill),
    )


def require_skill(pipeline: Pipeline, skill: str) -> None:
    """Make sure that a name is one of a skill that has been published, and no path to somewhere else.

    Raises:
        SkillInvalid: it is not; the message lists the names there are.
    """
    folders = (pipeline.paths.skills, pipeline.paths.versions)
    known = {
        entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir() if entry.is_dir()
    }
    names = sorted(name for name in known if not name.startswith("."))
    if skill not in names:
        raise SkillInvalid(
            f"There is no skill {skill!r} in {pipeline.paths.root}. "
            + (f"Skills: {', '.join(names)}." if names else "None has been learnt yet; `t2s run` does that.")
        )
