"""Why a line of a skill is there.

Answered from the lineage file beside the skill; the store is asked only where that file is missing. A rule
is found by the text of its line first and by its number second, so the answer stays right when a person
has moved or added lines since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.consolidation.cluster import Support
from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.document import Document, Section, resolve_link, without_ending
from t2s_pipeline.skills.lineage_file import EvidenceQuote, Lineage, LineageRule, RuleState, read_lineage
from t2s_pipeline.skills.tree import LINEAGE_FILE, SKILL_FILE

if TYPE_CHECKING:
    from t2s_pipeline.store.store import Store

KindOfLine = Literal["rule", "heading", "structure", "frontmatter", "human", "blank", "file"]
"""A rule; a heading; our introduction or a link; the YAML block; a person's own text; nothing; the whole
file (when no line was asked for)."""

_DEEPEST = 3
"""Levels between a file and its skill directory that are searched for SKILL.md."""


class RuleAt(BaseModel):
    """A rule and where it is."""

    model_config = ConfigDict(frozen=True)

    rule_id: str
    path: str
    line: int
    text: str


class Explanation(BaseModel):
    """The answer for one line."""

    model_config = ConfigDict(frozen=True)

    skill: str
    version: str | None
    path: str
    """Of the file, relative to the skill directory."""
    line: int | None
    text: str
    """The line; for a whole file, nothing."""
    kind_of_line: KindOfLine
    note: str
    """What the line is, in a sentence."""
    rule_id: str | None = None
    cluster_id: str | None = None
    state: RuleState | None = None
    generated: str | None = None
    """What the pipeline would write where the line is a person's."""
    support: Support | None = None
    evidence: tuple[EvidenceQuote, ...] = ()
    evidence_total: int = 0
    rules: tuple[RuleAt, ...] = ()
    """The rules this line stands for: below a heading, in a linked file, in the whole file."""


def explain(path: Path, line: int | None = None, *, store: Store | None = None) -> Explanation:
    """What line `line` (from 1) of a file of a skill is, and what it rests on; without a line, the file.

    `path` is a file of a skill or its directory (then SKILL.md is meant). Raises SkillInvalid when there
    is no skill at that place or no such line.
    """
    root, relative = _skill_of(path)
    document = Document.parse((root / relative).read_bytes())
    lineage = _lineage(root)
    if line is not None and not 1 <= line <= len(document.lines):
        raise SkillInvalid(f"{path} has {len(document.lines)} lines; there is no line {line}.")
    if lineage is None and store is not None and line is not None:
        answer = _from_store(store, root.name, relative, line, document)
        if answer is not None:
            return answer
    return _answer(lineage, root.name, relative, document, line)


def _skill_of(path: Path) -> tuple[Path, str]:
    start = path.expanduser().resolve()
    if not start.exists():
        raise SkillInvalid(f"{path} does not exist.")
    if start.is_dir():
        start = start / SKILL_FILE
    for root in list(start.parents)[:_DEEPEST]:
        if (root / SKILL_FILE).is_file() and start.is_file():
            return root, start.relative_to(root).as_posix()
    raise SkillInvalid(f"{path} is not a file of a skill: no {SKILL_FILE} beside or above it.")


def explains_itself(path: Path) -> bool:
    """Whether the skill of a file or directory carries its lineage, so that no store is needed.

    Raises SkillInvalid when there is no skill at that place.
    """
    root, _ = _skill_of(path)
    return (root / LINEAGE_FILE).is_file()


def _lineage(root: Path) -> Lineage | None:
    file = root / LINEAGE_FILE
    return read_lineage(file.read_bytes()) if file.is_file() else None


def _answer(
    lineage: Lineage | None, skill: str, path: str, document: Document, line: int | None
) -> Explanation:
    here = _rules_in(lineage, path, document)
    text = without_ending(document.lines[line - 1]) if line is not None else ""
    rules = [rule for at, rule in here if at == line]
    place = {
        "skill": lineage.skill if lineage else skill,
        "version": lineage.version if lineage else None,
        "path": path,
        "line": line,
        "text": text,
    }
    if not rules:
        kind, note, below = _what_it_is(lineage, path, document, line, here)
        return Explanation.model_validate(
            {**place, "kind_of_line": kind, "note": note, "rules": tuple(below)}
        )
    rule = max(rules, key=lambda item: (item.support.tasks, item.support.traces, item.rule_id))
    changed = rule.text != text
    return Explanation.model_validate(
        {
            **place,
            "kind_of_line": "rule",
            "note": _NOTES["hand_edited" if changed else rule.state],
            "rule_id": rule.rule_id,
            "cluster_id": rule.cluster_id,
            "state": "hand_edited" if changed else rule.state,
            "generated": (rule.generated or rule.text) if changed else rule.generated,
            "support": rule.support,
            "evidence": rule.evidence,
            "evidence_total": rule.evidence_total,
            "rules": tuple(_at(other, line or 0) for other in rules),
        }
    )


_NOTES: dict[RuleState, str] = {
    "written": "A rule learnt from runs.",
    "confirmed": "A person wrote this line; the runs confirm it.",
    "hand_edited": "A rule learnt from runs, reworded by a person and kept as they wrote it.",
}


def _rules_in(lineage: Lineage | None, path: str, document: Document) -> list[tuple[int, LineageRule]]:
    """(line, rule) of a file as it is now. A rule whose text is nowhere stays at its old line, if the line
    there is still a list item, else it is left out."""
    lines = [without_ending(line) for line in document.lines]
    numbers: dict[str, int] = {}
    for number, text in enumerate(lines, start=1):
        numbers.setdefault(text, number)
    rules = [rule for rule in (lineage.rules if lineage else ()) if rule.path == path]
    known = {rule.text for rule in rules} | set(lineage.structure if lineage else ())
    found = []
    for rule in rules:
        if rule.text in numbers:
            found.append((numbers[rule.text], rule))
        elif rule.line <= len(lines):
            text = lines[rule.line - 1]
            if text.lstrip().startswith(("-", "*", "+")) and text not in known:
                found.append((rule.line, rule))
    return found


def _what_it_is(
    lineage: Lineage | None,
    path: str,
    document: Document,
    line: int | None,
    here: Sequence[tuple[int, LineageRule]],
) -> tuple[KindOfLine, str, list[RuleAt]]:
    everything = [_at(rule, at) for at, rule in here]
    if lineage is None:
        return "human", f"The skill has no {LINEAGE_FILE}: nothing is known about its lines.", []
    if line is None:
        return "file", f"{len(everything)} rules are in this file.", everything
    number = line - 1
    text = without_ending(document.lines[number])
    if number < document.body_start:
        whose = (
            "written by the pipeline" if lineage.description == "generated" else "kept from the base skill"
        )
        return "frontmatter", f"The frontmatter; the description was {whose}.", everything
    if not text.strip():
        return "blank", "A blank line.", []
    section = _section_at(document, number)
    below = _within(section, here)
    ours = text in lineage.structure
    if section is not None and section.first <= number < section.body:
        return "heading", f"A heading {_whose(lineage, ours)}; {len(below)} rules stand below it.", below
    if ours:
        linked = _linked_rules(lineage, path, text)
        note = "A link to rarer rules." if linked else "Text the pipeline wrote around the rules."
        return "structure", note, linked or below
    return "human", f"Text {_whose(lineage, False)}.", below


def _whose(lineage: Lineage, ours: bool) -> str:
    if ours:
        return "written by the pipeline"
    return "of the base skill, or added by hand" if lineage.based_on == "base skill" else "added by hand"


def _section_at(document: Document, number: int) -> Section | None:
    holding = [section for section in document.sections if section.first <= number < section.end]
    return holding[-1] if holding else None


def _within(section: Section | None, here: Iterable[tuple[int, LineageRule]]) -> list[RuleAt]:
    if section is None:
        return []
    return [_at(rule, at) for at, rule in here if section.first < at <= section.end]


def _linked_rules(lineage: Lineage, path: str, text: str) -> list[RuleAt]:
    targets = {resolve_link(path, target) for _, target in Document.parse(text).links()}
    return [_at(rule, rule.line) for rule in lineage.rules if rule.path in targets and rule.path != path]


def _at(rule: LineageRule, line: int) -> RuleAt:
    return RuleAt(rule_id=rule.rule_id, path=rule.path, line=line, text=rule.text)


def _from_store(store: Store, skill: str, path: str, line: int, document: Document) -> Explanation | None:
    """The answer from the tables, for a skill whose lineage file is gone; None when they know nothing."""
    # A skill with its lineage file is explained in the time the database takes to import.
    from t2s_pipeline.store.lineage import explain_rows, rules_at_line

    rules = rules_at_line(store, skill, path, line)
    text = without_ending(document.lines[line - 1])
    if rules.is_empty() or rules.row(0, named=True)["text"] != text:
        return None
    rule = rules.row(0, named=True)
    rows = explain_rows(store, skill, rule["rule_id"])
    first = rows.row(0, named=True)
    quotes = [
        EvidenceQuote(**{name: row[name] for name in EvidenceQuote.model_fields})
        for row in rows.iter_rows(named=True)
        if row["quote"] is not None and row["source_uri"] is not None
    ]
    counts = {name: first[name] for name in ("traces", "tasks", "success", "failure", "occurrences")}
    return Explanation(
        skill=skill,
        version=first["version"],
        path=path,
        line=line,
        text=text,
        kind_of_line="rule",
        note=_NOTES["written"],
        rule_id=rule["rule_id"],
        cluster_id=rule["cluster_id"],
        state="written",
        support=Support(**counts) if first["traces"] is not None else None,
        evidence=tuple(quotes),
        evidence_total=len(quotes),
        rules=(RuleAt(rule_id=rule["rule_id"], path=path, line=line, text=text),),
    )
