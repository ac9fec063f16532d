"""The lineage file that travels with a skill: which rule is on which line, and what it rests on.

It is data beside SKILL.md, one rule per line, with a few quotes per rule, so that a copied skill explains
itself without a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from t2s_pipeline.consolidation.cluster import Support
from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.tree import NO_VERSION

if TYPE_CHECKING:
    from t2s_pipeline.skills.sources import Learnt

LINEAGE_FORMAT = 1

RuleState = Literal["written", "confirmed", "hand_edited"]
"""Our line; a line a person had written before that says the same; our line as a person rewrote it."""


class EvidenceQuote(BaseModel):
    """One place in one trace that taught a rule."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    source_uri: str
    first_step: int
    last_step: int
    quote: str


class LineageRule(BaseModel):
    """One rule of a skill: the line that says it, its cluster, its support and where it comes from."""

    model_config = ConfigDict(frozen=True)

    rule_id: str
    cluster_id: str
    path: str
    line: int
    """1-based, in the version this file belongs to."""
    text: str
    """The line without its ending."""
    state: RuleState = "written"
    generated: str | None = None
    """What the pipeline would write where `text` is a person's."""
    kind: str
    support: Support
    evidence: tuple[EvidenceQuote, ...]
    evidence_total: int


class Withheld(BaseModel):
    """A rule a person deleted; it stays out while the evidence is not much stronger than it was then."""

    model_config = ConfigDict(frozen=True)

    rule_id: str
    cluster_id: str
    text: str
    tasks: int
    """Distinct tasks behind it when it was deleted."""
    traces: int


class Lineage(BaseModel):
    """The content of lineage.json."""

    model_config = ConfigDict(frozen=True)

    format: int = LINEAGE_FORMAT
    version: str = NO_VERSION
    skill: str
    description: Literal["generated", "base"]
    """Who wrote the description in the frontmatter."""
    based_on: Literal["nothing", "base skill"]
    structure: tuple[str, ...] = ()
    """Lines the pipeline wrote that are no rules: headings, the introduction, links."""
    rules: tuple[LineageRule, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    proposals: tuple[Withheld, ...] = ()
    """Withheld rules that have much more evidence now, for a person to decide on."""


@dataclass(frozen=True)
class Written:
    """A rule and the line that says it."""

    rule_id: str
    cluster_id: str
    path: str
    text: str
    state: RuleState = "written"
    generated: str | None = None


def lineage_rules(
    learnt: Learnt, written: Iterable[Written], files: Mapping[str, Sequence[str]]
) -> tuple[LineageRule, ...]:
    """Rules with line numbers looked up in `files` (lines without endings), in reading order."""
    places = {
        path: {line: number for number, line in reversed(list(enumerate(lines, 1)))}
        for path, lines in files.items()
    }
    clusters = {cluster.cluster_id: cluster for cluster in learnt.clusters}
    found = []
    for item in written:
        cluster = clusters[item.cluster_id]
        evidence = learnt.evidence_of(item.cluster_id)
        found.append(
            LineageRule(
                rule_id=item.rule_id,
                cluster_id=item.cluster_id,
                path=item.path,
                line=places[item.path][item.text],
                text=item.text,
                state=item.state,
                generated=item.generated,
                kind=cluster.kind,
                support=cluster.support,
                evidence=evidence.quotes,
                evidence_total=evidence.total,
            )
        )
    return tuple(
        sorted(found, key=lambda rule: (rule.path != "SKILL.md", rule.path, rule.line, rule.rule_id))
    )


def lineage_bytes(lineage: Lineage) -> bytes:
    """The lineage file: one JSON object, one rule per line so that a diff shows rules."""
    body: dict[str, Any] = lineage.model_dump(mode="json", exclude_none=True)
    listed = {key: body.pop(key) for key in ("rules", "withheld", "proposals")}
    out = [orjson.dumps(body)[:-1]]
    for key, rows in listed.items():
        lines = b",\n".join(orjson.dumps(row) for row in rows)
        out.append(b',\n"' + key.encode() + b'":[' + (b"\n" + lines + b"\n" if rows else b"") + b"]")
    return b"".join(out) + b"}\n"


def read_lineage(data: bytes) -> Lineage:
    """The lineage of a skill. Raises SkillInvalid when the file is not one this program wrote."""
    try:
        return Lineage.model_validate_json(data)
    except ValidationError as error:
        raise SkillInvalid(f"lineage.json cannot be read: {error.errors()[0]['msg']}.") from error
