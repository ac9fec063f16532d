"""What is left to do: batches that are not finished, and skills that are behind their lessons.

Both are read from the store and the disk, never from a queue of events: an event can be missed or a
process killed, and the answer stays right. Sensors and `t2s run` ask the same questions here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl

from t2s_pipeline import skills
from t2s_pipeline.analysts.version import analysts_version, lessons_version, why_analysed_again
from t2s_pipeline.analysts.worded import words_version
from t2s_pipeline.consolidation.version import CLUSTERS_VERSION
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.sources import ordered, source_version
from t2s_pipeline.store import queries
from t2s_pipeline.store.frames import batch_stage_frame
from t2s_pipeline.store.intake import learnt_marks
from t2s_pipeline.traces.inbox import Batch, all_batches, plan_batches
from t2s_pipeline.traces.version import why_read_again

DIRECTORY_VERSION = source_version([Path(skills.__file__).parent])
"""Changes whenever the same clusters could give another directory."""

OUTDATED = ""
"""Code version of a batch that has to be read again although its key is known."""

SkillStage = Literal["clusters", "directory"]
"""What of a skill is made: its clusters, then its directory."""

StageRow = dict[str, Any]
"""A row of `batch_stages`."""


@dataclass(frozen=True)
class Unfinished:
    """A batch that is left to do, and why."""

    batch: Batch
    reason: str


@dataclass(frozen=True)
class SkillInputs:
    """A skill and a digest of everything its directory is made from."""

    skill: str
    digest: str


def plan_inbox(pipeline: Pipeline, *, quiet_before: float | None = None) -> list[Batch]:
    """Plan what is new in the inbox; a batch that is known but has other outcomes now counts as unread.

    `quiet_before` is a modification time in seconds since the epoch: files modified after it may still be
    written to and are left for the next call.
    """
    planned = plan_batches(pipeline.paths, pipeline.settings, quiet_before=quiet_before)
    ask_again(pipeline, [batch.key for batch in planned], ["traces", "lessons"])
    return planned


def ask_again(pipeline: Pipeline, batches: Sequence[str], stages: Sequence[str]) -> None:
    """Have the next run, asked for or not, do these stages of known batches again."""
    rows = queries.batch_stages(pipeline.store)
    known = rows.filter(rows["batch"].is_in(list(batches)) & rows["stage"].is_in(list(stages)))
    for key, of_batch in known.group_by("batch"):
        outdated = of_batch.with_columns(code_version=pl.lit(OUTDATED))
        pipeline.store.replace({"batch": str(key[0])}, {"batch_stages": outdated})


def unfinished_batches(pipeline: Pipeline) -> list[Batch]:
    """Batches that the next run reads or analyses."""
    return [one.batch for one in what_is_left(pipeline)]


def what_is_left(pipeline: Pipeline) -> list[Unfinished]:
    """Batches whose traces or lessons are missing, or were made by other code or under other settings than
    today's. Traces whose file is gone stay as they are: nothing could be read again.

    Raises:
        T2SError: the settings of the model's endpoint make no sense.
    """
    return _left(pipeline, pipeline.settings)


def batches_to_run_unasked(pipeline: Pipeline) -> list[Batch]:
    """Batches that a sensor may start by itself. Where analysis costs model calls, what other code has made
    counts as finished: making it anew waits for a person (`t2s run`, or the UI, which shows it as stale).
    So does taking out again what a model has taught.
    """
    if pipeline.settings.engine != "llm":
        kept = pipeline.settings.model_copy(update={"engine": "auto"})
        return [one.batch for one in _left(pipeline, kept)]
    done = _versions_done(pipeline)
    return [
        batch
        for batch in all_batches(pipeline.paths)
        if any(done.get((batch.key, stage), OUTDATED) == OUTDATED for stage in ("traces", "lessons"))
    ]


def _left(pipeline: Pipeline, settings: Settings) -> list[Unfinished]:
    done = _versions_done(pipeline)
    wanted = lessons_version(settings)
    left = []
    for batch in all_batches(pipeline.paths):
        read, analysed = done.get((batch.key, "traces")), done.get((batch.key, "lessons"))
        if read is None or analysed is None:
            left.append(Unfinished(batch, "not read so far" if read is None else "not analysed so far"))
            continue
        reason = why_read_again(read, settings)
        if reason is not None and read != OUTDATED and not _is_there(pipeline.paths, batch):
            reason = None
        reason = reason or why_analysed_again(analysed, settings, wanted)
        if reason is not None:
            left.append(Unfinished(batch, reason))
    return left


def _is_there(paths: DataPaths, batch: Batch) -> bool:
    """Whether every file of a batch still holds at least what it held when the batch was planned."""
    try:
        return all((paths.root / part.path).stat().st_size >= part.size for part in batch.slices)
    except OSError:
        return False


def skills_behind(pipeline: Pipeline) -> list[SkillInputs]:
    """Skills with lessons, a base skill or code that their published directory does not reflect, by name.

    A skill none of whose traces could be read has nothing to learn from and is not in the list.
    """
    rows = queries.batch_stages(pipeline.store).to_dicts()
    made = {row["skill"]: row["code_version"] for row in rows if row["stage"] == "directory"}
    return [inputs for inputs in _inputs(pipeline, rows) if made.get(inputs.skill) != inputs.digest]


def base_digest(pipeline: Pipeline, skill: str) -> str | None:
    """Digest of the base skill a person wrote; None when there is none."""
    files = _base(pipeline.paths.base / skill)
    return _digest(files) if files else None


def inputs_of(pipeline: Pipeline, skill: str) -> SkillInputs:
    """The inputs of a skill as they are now; to be taken before its consolidation reads them."""
    rows = [row for row in queries.batch_stages(pipeline.store).to_dicts() if row["skill"] == skill]
    known = [inputs for inputs in _inputs(pipeline, rows) if inputs.skill == skill]
    return known[0] if known else SkillInputs(skill, _digest([]))


def record_made(pipeline: Pipeline, stage: SkillStage, inputs: SkillInputs) -> None:
    """Note that a stage of a skill was made from these inputs."""
    batch = f"skill:{inputs.skill}"
    row = batch_stage_frame(batch=batch, skill=inputs.skill, stage=stage, code_version=inputs.digest)
    pipeline.store.replace({"batch": batch}, {"batch_stages": row})


def clusters_made_from(pipeline: Pipeline, skill: str) -> SkillInputs:
    """The inputs that the clusters in the store were made from; what a directory is made from in turn."""
    rows = queries.batch_stages(pipeline.store).to_dicts()
    digests = [row["code_version"] for row in rows if row["stage"] == "clusters" and row["skill"] == skill]
    return SkillInputs(skill, digests[0] if digests else "")


def _versions_done(pipeline: Pipeline) -> dict[tuple[str, str], str]:
    rows = queries.batch_stages(pipeline.store).to_dicts()
    return {(row["batch"], row["stage"]): row["code_version"] for row in rows}


def _inputs(pipeline: Pipeline, rows: Sequence[StageRow]) -> list[SkillInputs]:
    readable = {row["skill"] for row in rows if row["stage"] == "traces" and row["traces"] > 0}
    learnt: dict[str, list[StageRow]] = {}
    for row in rows:
        if row["stage"] == "lessons" and row["skill"] in readable:
            learnt.setdefault(row["skill"], []).append(row)
    # Outcomes that come later can leave every count as it was.
    marks = learnt_marks(pipeline.store)
    code = _code(pipeline.settings)
    found = []
    for skill, batches in sorted(learnt.items()):
        made_of = [batches, marks.get(skill), _base(pipeline.paths.base / skill), code]
        found.append(SkillInputs(skill, _digest([*made_of, words_version(pipeline.settings, skill)])))
    return found


def _base(directory: Path) -> list[tuple[str, str]]:
    """Every file of the base skill with the hash of its bytes. A name that is no text is escaped."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    names = [str(path.relative_to(directory)).encode("utf-8", "backslashreplace").decode() for path in files]
    hashes = [sha256(path.read_bytes()).hexdigest() for path in files]
    return list(zip(names, hashes, strict=True))


def _code(settings: Settings) -> object:
    """What else decides how a directory comes out: the code, and the settings that steer it."""
    steering = {"permitted", "min_tasks", "min_sources", "half_life_days"}
    steering |= {"max_fdr", "min_informative_strata"}
    versions = [analysts_version("statistical"), CLUSTERS_VERSION, DIRECTORY_VERSION]
    return {"versions": versions, "steered": ordered(settings.model_dump(include=steering))}


def _digest(value: object) -> str:
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
