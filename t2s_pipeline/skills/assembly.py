"""Sealing a skill: the lineage file is added and the version, a hash of everything else, is put in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from t2s_pipeline.skills.document import Document, without_ending
from t2s_pipeline.skills.lineage_file import Lineage, Withheld, Written, lineage_bytes, lineage_rules
from t2s_pipeline.skills.sources import Learnt
from t2s_pipeline.skills.tree import LINEAGE_FILE, FileBody, SkillTree, content_hash, with_version
from t2s_pipeline.skills.writer import Generated


@dataclass(frozen=True)
class Sealed:
    """A complete skill directory with its version."""

    files: dict[str, FileBody]
    version: str
    lineage: Lineage


def seal(
    learnt: Learnt,
    generated: Generated,
    *,
    files: SkillTree | None = None,
    written: Iterable[Written] | None = None,
    withheld: tuple[Withheld, ...] = (),
    proposals: tuple[Withheld, ...] = (),
) -> Sealed:
    """The directory with lineage and version; `files` and `written` stand in for the generated ones where
    a person's edits were merged in.
    """
    tree = {path: body for path, body in (files or generated.files).items() if path != LINEAGE_FILE}
    rules = generated.written if written is None else tuple(written)
    lines = {
        path: [without_ending(line) for line in Document.parse(tree[path].data).lines]
        for path in {rule.path for rule in rules}
    }
    lineage = Lineage(
        skill=learnt.skill,
        description=generated.description,
        based_on=generated.based_on,
        structure=generated.structure,
        rules=lineage_rules(learnt, rules, lines),
        withheld=withheld,
        proposals=proposals,
    )
    tree[LINEAGE_FILE] = FileBody(lineage_bytes(lineage))
    version = content_hash(tree)
    return Sealed(with_version(tree, version), version, lineage.model_copy(update={"version": version}))
