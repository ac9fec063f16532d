"""`t2s forget`: traces go for good, with everything that rests on them, and a receipt says what went.

In this order, so that a command that was interrupted is finished by giving it again: the traces are put on
the list of those that must not come back; their rows and the model's replies about them are removed; every
skill they taught is made anew from what is left, which deletes the versions that rest on them; the database
is written into a new file, because deleted rows leave their bytes in the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.analysts.by_model import reply_cache
from t2s_pipeline.analysts.worded import wording_of
from t2s_pipeline.commands.naming import trace_named
from t2s_pipeline.errors import T2SError
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills.forgetting import versions_resting_on
from t2s_pipeline.skills.history import RuleChange, rule_changes
from t2s_pipeline.skills.lineage_file import Lineage
from t2s_pipeline.skills.place import Place, lineage_of
from t2s_pipeline.skills.versions import Versions
from t2s_pipeline.store import safety
from t2s_pipeline.traces.forgotten import Forgotten, add_tombstones, tombstones


class ForgottenTrace(BaseModel):
    """One trace that is gone."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    skill: str
    file: str
    """Still holds it, if it is there; it is not read from it again."""
    copies: tuple[str, ...] = ()
    """Traces of the same bytes under other ids: the same file in the folder of another skill."""


class SkillChange(BaseModel):
    """What became of a skill that a forgotten trace belonged to."""

    model_config = ConfigDict(frozen=True)

    skill: str
    before: str | None
    """Version in place before; None when there was none."""
    after: str | None
    rules: tuple[RuleChange, ...]
    """Rules that disappeared, changed (if only in their counts), or came."""
    versions: tuple[str, ...]
    """Versions that were deleted because they rest on the trace."""


class Receipt(BaseModel):
    """The object that `t2s forget --json` prints."""

    model_config = ConfigDict(frozen=True)

    at: str
    """ISO 8601, UTC."""
    traces: tuple[ForgottenTrace, ...]
    rows: dict[str, int]
    """Rows removed, by table of the store."""
    replies: int
    """Stored model replies removed."""
    skills: tuple[SkillChange, ...]
    reworded: tuple[str, ...] = ()
    """Skills that a model has worded and could not word now, and why."""
    left: tuple[str, ...]
    """Where something of the traces may still be, out of reach of this command."""
    failures: tuple[str, ...]
    """What did not finish; the same command finishes it."""


class SkillMaker(Protocol):
    """Makes skills anew: `assets.execution.Executor`, or something that does the same."""

    def runs_under_way(self) -> Sequence[str]:
        """Ids of the runs that are working now."""
        ...

    def consolidate(self, pipeline: Pipeline, skill: str) -> str | None:
        """Merge the lessons of a skill and publish it; why that failed, if it did."""
        ...


@dataclass(frozen=True)
class _InPlace:
    """What agents load of a skill now."""

    version: str | None
    lineage: Lineage | None
    versions: frozenset[str]


def forget(
    pipeline: Pipeline,
    names: Sequence[str],
    maker: SkillMaker,
    *,
    now: datetime,
    showing: Callable[[str], AbstractContextManager[object]] = lambda skill: nullcontext(),  # noqa: ARG005
) -> Receipt:
    """Remove the named traces and all that rests on them, and make their skills anew.

    A trace that was forgotten before may be named by its id: what was left to do for it is done.

    Raises:
        TraceError: a name stands for no trace, or for several; nothing was removed.
        T2SError: a run is at work, which may be reading the traces, or the store cannot be written.
    """
    at = now.astimezone(UTC).isoformat(timespec="seconds")
    if maker.runs_under_way():
        raise T2SError(
            "A run is reading or analysing traces right now; forget when it has ended, or what it writes "
            "could bring something back. `t2s ui` shows and stops runs."
        )
    known = {item.trace_id: item for item in tombstones(pipeline.paths).items}
    ids = list(dict.fromkeys(_trace_id(pipeline, name, known) for name in names))
    rows = safety.traces_to_forget(pipeline.store, ids).to_dicts()
    add_tombstones(pipeline.paths, [_tombstone(row, known.get(row["trace_id"]), at) for row in rows])
    forgotten = [item for item in tombstones(pipeline.paths).items if item.trace_id in ids]
    before = {skill: _in_place(pipeline, skill) for skill in sorted({item.skill for item in forgotten})}

    removed = pipeline.store.erase_traces(ids)
    for batch, counts in safety.outdated_counts(pipeline.store, list(before)).group_by("batch"):
        pipeline.store.replace({"batch": str(batch[0])}, {"batch_stages": counts})
    replies = reply_cache(pipeline.settings).forget(ids)
    failures: list[str] = []
    reworded: list[str] = []
    for skill in before:
        with showing(skill):
            failure = maker.consolidate(pipeline, skill)
            if failure and _worded_by_code(pipeline, skill, maker):
                reworded.append(
                    f"{failure}. Its rules have the words of templates now; `t2s run --engine llm` asks the "
                    "model for better ones."
                )
            elif failure:
                failures.append(failure)
    pipeline.store.write_anew()

    copies = {row["trace_id"]: tuple(row["copies"]) for row in rows}
    return Receipt(
        at=at,
        traces=tuple(
            ForgottenTrace(
                trace_id=item.trace_id,
                skill=item.skill,
                file=item.file,
                copies=copies.get(item.trace_id, ()),
            )
            for item in forgotten
        ),
        rows=removed,
        replies=replies,
        skills=tuple(_change(pipeline, skill, was) for skill, was in before.items()),
        reworded=tuple(reworded),
        left=tuple(_left(pipeline, forgotten)),
        failures=(*failures, *_remains(pipeline, forgotten)),
    )


def _worded_by_code(pipeline: Pipeline, skill: str, maker: SkillMaker) -> bool:
    """Whether a skill that a model cannot word now was made without one: what rests on a forgotten trace
    must go whether or not somebody answers.
    """
    settings = pipeline.settings
    if settings.engine != "llm" and wording_of(settings, skill) is None:
        return False
    without = replace(pipeline, settings=settings.model_copy(update={"engine": "statistical"}))
    return maker.consolidate(without, skill) is None


def _trace_id(pipeline: Pipeline, name: str, known: Mapping[str, Forgotten]) -> str:
    if name in known:
        return name
    return str(trace_named(pipeline, name)["trace_id"])


def _tombstone(row: Mapping[str, Any], known: Forgotten | None, at: str) -> Forgotten:
    lessons = {*row["lessons"], *(known.lessons if known else ())}
    return Forgotten(
        trace_id=row["trace_id"],
        skill=row["skill"],
        file=row["file"],
        session=row["session"],
        lessons=tuple(sorted(lessons)),
        at=known.at if known else at,
    )


def _in_place(pipeline: Pipeline, skill: str) -> _InPlace:
    versions = Versions(pipeline.paths, skill)
    place = Place(pipeline.paths, versions)
    files = place.files()
    kept = frozenset(record.version for record in versions.records())
    if not files:
        return _InPlace(None, None, kept)
    return _InPlace(place.deployed(files), lineage_of(files), kept)


def _change(pipeline: Pipeline, skill: str, before: _InPlace) -> SkillChange:
    after = _in_place(pipeline, skill)
    return SkillChange(
        skill=skill,
        before=before.version,
        after=after.version,
        rules=tuple(rule_changes(before.lineage, after.lineage)),
        versions=tuple(sorted(before.versions - after.versions)),
    )


def _remains(pipeline: Pipeline, forgotten: Sequence[Forgotten]) -> Iterator[str]:
    """What should be gone and is not."""
    back = safety.traces_to_forget(pipeline.store, [item.trace_id for item in forgotten])["trace_id"]
    if len(back):
        yield f"{', '.join(back)} came back while this command worked; give it again."
    for skill in sorted({item.skill for item in forgotten}):
        versions = Versions(pipeline.paths, skill)
        mine = [item for item in forgotten if item.skill == skill]
        resting = sorted(versions_resting_on(versions, mine))
        if resting:
            yield (
                f"Versions {', '.join(resting)} of {skill} still rest on what was forgotten. They go when "
                "the skill is made anew."
            )


def _left(pipeline: Pipeline, forgotten: Sequence[Forgotten]) -> Iterator[str]:
    """Places this command does not write to."""
    for file in sorted({item.file for item in forgotten}):
        if (pipeline.paths.root / file).exists():
            yield f"{file} is as it was; the traces are not read from it again."
    aside = pipeline.paths.stage / "set-aside"
    if aside.is_dir() and any(aside.iterdir()):
        yield f"{aside} holds writes that could not be loaded and may be about the traces."
    if any(pipeline.paths.dagster.glob("storage/*")):
        yield (
            f"{pipeline.paths.dagster} shows earlier runs with lessons and rules as they were; delete it "
            "while no UI is open to lose that history. Nothing else needs it."
        )
    yield "Skills that were exported or copied elsewhere are out of reach."
