"""What the asset checks measure. Each function looks at what is stored or published, not at what the
code that made it believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills.document import Document, without_ending
from t2s_pipeline.skills.lineage_file import Withheld, read_lineage
from t2s_pipeline.skills.spec import check_skill_directory
from t2s_pipeline.skills.tree import LINEAGE_FILE
from t2s_pipeline.store import audit, queries
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.record import quotable_texts


@dataclass(frozen=True)
class ParseRate:
    """How much of a batch could be read."""

    read: int
    """Traces that are in the store, those another batch had already included."""
    quarantined: int

    @property
    def share(self) -> float:
        """Share read, from 0 to 1; 1 for a batch with nothing in it."""
        total = self.read + self.quarantined
        return self.read / total if total else 1.0


@dataclass(frozen=True)
class Grounding:
    """How much of the evidence of a batch is found where it says."""

    quotes: int
    missing: tuple[str, ...]
    """One sentence per quote that is not in the steps it names."""


@dataclass(frozen=True)
class Accounting:
    """What became of the lessons of a skill."""

    lessons: int
    """That passed the checks."""
    placed: Mapping[str, int]
    """Of these: in rules of SKILL.md (`skill`), in rules of references, in candidates."""
    refused: int
    """Further lessons, which did not pass the checks; each is kept with its reason."""
    lost: tuple[str, ...]
    """Ids of lessons that are in no cluster."""

    @property
    def holds(self) -> bool:
        """Whether every lesson is in exactly one place."""
        return not self.lost and sum(self.placed.values()) == self.lessons


@dataclass(frozen=True)
class Lineage:
    """How far the rules of a published skill can be followed back."""

    rules: int
    broken: tuple[str, ...]
    """One sentence per rule that is not where it should be, or does not lead to a quote."""


def parse_rates(store: Store, batches: Sequence[str]) -> dict[str, ParseRate]:
    """Share of each batch that could be read; batches that were never read are left out."""
    wanted = set(batches)
    rows = queries.batch_stages(store).to_dicts()
    return {
        row["batch"]: ParseRate(read=row["traces"] + row["duplicates"], quarantined=row["quarantined"])
        for row in rows
        if row["stage"] == "traces" and row["batch"] in wanted
    }


def grounding(store: Store, batches: Sequence[str]) -> dict[str, Grounding]:
    """For each batch, whether every quote of its lessons is found verbatim in the steps it names."""
    # One batch at a time: the steps of a whole range could be more than the memory holds.
    return {batch: _grounding_of(store, batch) for batch in batches}


def _grounding_of(store: Store, batch: str) -> Grounding:
    rows = audit.evidence_of_batches(store, [batch]).to_dicts()
    named = {(row["trace_id"], step) for row in rows for step in _steps(row)}
    bodies = queries.step_bodies(store, named)
    texts = {place: quotable_texts(orjson.loads(body)) for place, body in bodies.items()}
    missing = []
    for row in rows:
        said = (text for step in _steps(row) for text in texts.get((row["trace_id"], step), ()))
        if not any(row["quote"] in text for text in said):
            where = f"steps {row['first_step']}-{row['last_step']} of {row['trace_id']}"
            missing.append(f"{row['lesson_id']}: not in {where}")
    return Grounding(quotes=len(rows), missing=tuple(missing))


def accounting(store: Store, skill: str) -> Accounting:
    """Where every lesson of a skill went in its latest consolidation."""
    return Accounting(
        lessons=audit.lesson_count(store, skill),
        placed=audit.places_of_lessons(store, skill),
        refused=audit.refused_count(store, skill),
        lost=tuple(audit.unplaced_lessons(store, skill)),
    )


def spec_problems(pipeline: Pipeline, skill: str) -> list[str]:
    """What the published directory breaks of the Agent Skills specification and of our stricter limits."""
    return check_skill_directory(pipeline.paths.skills / skill)


def lineage(pipeline: Pipeline, skill: str) -> Lineage:
    """Whether every rule of the published directory is at its line, word for word, and leads to a quote."""
    rules = queries.rules_of_skill(pipeline.store, skill).to_dicts()
    pages = {path: _lines(pipeline.paths.skills / skill / path) for path in {rule["path"] for rule in rules}}
    broken = []
    for rule in rules:
        lines, number = pages[rule["path"]], rule["first_line"]
        if number > len(lines):
            broken.append(f"{rule['rule_id']}: {rule['path']} has no line {number}")
        elif lines[number - 1] != rule["text"]:
            broken.append(f"{rule['rule_id']}: line {number} of {rule['path']} says something else")
    unquoted = audit.rules_without_evidence(pipeline.store, skill)
    broken.extend(f"{rule_id}: no quote leads to it" for rule_id in unquoted)
    return Lineage(rules=len({rule["rule_id"] for rule in rules}), broken=tuple(broken))


def proposals(pipeline: Pipeline, skill: str) -> tuple[Withheld, ...]:
    """Rules of a published skill that a person deleted and that have much more evidence now. They stay out
    until a person decides: put the line back, or leave it.

    Raises:
        SkillInvalid: the lineage file of the skill cannot be read.
    """
    file = pipeline.paths.skills / skill / LINEAGE_FILE
    return read_lineage(file.read_bytes()).proposals if file.is_file() else ()


def _lines(page: Path) -> list[str]:
    """The lines of a page without their endings; none where there is no page."""
    document = Document.parse(page.read_bytes() if page.is_file() else b"")
    return [without_ending(line) for line in document.lines]


def _steps(evidence: dict[str, Any]) -> range:
    return range(evidence["first_step"], evidence["last_step"] + 1)
