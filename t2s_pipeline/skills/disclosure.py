"""The last look at a skill before it is put in place: nothing that redaction hides may be in it.

Every line the pipeline wrote is searched for the values redacted from traces (by fingerprint) and by the
rules of redaction. Lines that people wrote, in the base skill or by hand in the directory in place, are not
judged: a support address in them is theirs to publish.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.skills.lineage_file import lineage_bytes, read_lineage
from t2s_pipeline.skills.tree import LINEAGE_FILE, SkillTree, without_version
from t2s_pipeline.store.safety import known_fingerprints
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.redact import RescanHit, rescan
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.fingerprints import fingerprints

_MOST_NAMED = 10
"""Places the message names; the rest is counted."""

_CUT_PLACEHOLDER = re.compile(r"<(?:SECRET|PERSONAL)(?::[a-z0-9-]{0,60}(?::[0-9]{0,6})?)?(?![a-z0-9:>-])")
"""A quote may end in the middle of `<SECRET:token:1>`; the rules take what is left for a value."""


@dataclass(frozen=True)
class Secrets:
    """What must not be published: values by their fingerprints, and whatever the rules find."""

    known: frozenset[str] = frozenset()
    config: RedactionConfig = field(default_factory=RedactionConfig)
    salt: bytes = b""


@dataclass(frozen=True)
class Disclosure:
    """A place in a skill that must not be published. The value itself is not repeated."""

    path: str
    line: int
    """1-based."""
    kind: str

    def __str__(self) -> str:
        return f"{self.path} line {self.line} ({self.kind})"


def secrets_of(store: Store, paths: DataPaths, settings: Settings) -> Secrets:
    """What was redacted from the traces of a data root, of all skills.

    A value that the operator put on the list `keep` since then may be published.

    Raises:
        SkillInvalid: fingerprints are stored and the salt they were made with is gone, so that nobody can
            say whether a skill holds one of the values.
    """
    known = known_fingerprints(store)
    if not known:
        return Secrets(config=settings.redaction)
    try:
        salt = paths.salt.read_bytes()
    except FileNotFoundError:
        raise SkillInvalid(
            f"{paths.salt} is missing, so a skill cannot be searched for the values that were redacted. "
            f"Restore the file, or move {paths.database} away and run again: the traces are then read anew."
        ) from None
    kept = {mark for value in settings.redaction.keep for mark in fingerprints(value.encode(), salt)}
    return Secrets(known - kept, settings.redaction, salt)


def require_nothing_disclosed(
    skill: str, trees: Iterable[SkillTree], people: Collection[bytes], secrets: Secrets
) -> None:
    """Refuse to publish any of these directories when one holds what redaction hides.

    `people` are the lines that people wrote, as `lines_of` gives them.

    Raises:
        SkillInvalid: names files, lines and kinds, never the values.
    """
    found = dict.fromkeys(place for tree in trees for place in disclosures(tree, people, secrets))
    if not found:
        return
    named = [str(place) for place in list(found)[:_MOST_NAMED]]
    if len(found) > _MOST_NAMED:
        named.append(f"{len(found) - _MOST_NAMED} more places")
    raise SkillInvalid(
        f"Skill {skill} is not published: it would disclose what is hidden in traces, in {', '.join(named)}. "
        f"What is in place stays. `t2s forget TRACE` takes out a trace that this comes from; a value that "
        "may be public can be listed in T2S_REDACTION__KEEP."
    )


def disclosures(tree: SkillTree, people: Collection[bytes], secrets: Secrets) -> list[Disclosure]:
    """Places in the lines the pipeline wrote at which something hidden stands, in reading order."""
    found = []
    for path, body in sorted(tree.items()):
        data = without_version(path, body.data)
        text = _without_lines(_own_words(data) if path == LINEAGE_FILE else data, people)
        known = (hit for hit in rescan(text, secrets.known, secrets.config, secrets.salt) if hit.known)
        whole = _CUT_PLACEHOLDER.sub("<SECRET:cut:1>", text)
        ruled = rescan(whole, (), secrets.config, secrets.salt)
        found += [Disclosure(path, hit.line, _words_for(hit)) for hit in (*known, *ruled)]
    return sorted(found, key=lambda place: (place.path != "SKILL.md", place.path, place.line, place.kind))


def lines_of(tree: SkillTree) -> frozenset[bytes]:
    """Every line of every file but the lineage file, without its ending."""
    return frozenset(
        line for path, body in tree.items() if path != LINEAGE_FILE for line in _lines(body.data)
    )


def lines_of_people(tree: SkillTree) -> frozenset[bytes]:
    """The lines of a stored version that its lineage does not call ours."""
    if LINEAGE_FILE not in tree:
        return lines_of(tree)
    lineage = read_lineage(tree[LINEAGE_FILE].data)
    ours = {rule.text.encode() for rule in lineage.rules if rule.state == "written"}
    return lines_of(tree) - ours - {line.encode() for line in lineage.structure}


def _without_lines(data: bytes, people: Collection[bytes]) -> str:
    """The text with the lines of people blank, so that line numbers stay."""
    lines = (b"" if line in people else line for line in _lines(data))
    return b"\n".join(lines).decode("utf-8", "replace")


def _lines(data: bytes) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in data.split(b"\n")]


def _own_words(data: bytes) -> bytes:
    """The lineage file with its lines where they are, without ids (hexadecimal digits can look like a card
    number) and without the words of people."""
    lineage = read_lineage(data)
    no_ids = {"rule_id": "", "cluster_id": ""}
    rules = [
        rule.model_copy(
            update={
                **no_ids,
                "text": rule.text if rule.state == "written" else "",
                "evidence": tuple(quote.model_copy(update={"trace_id": ""}) for quote in rule.evidence),
            }
        )
        for rule in lineage.rules
    ]
    withheld, proposals = (
        tuple(item.model_copy(update=no_ids) for item in items)
        for items in (lineage.withheld, lineage.proposals)
    )
    update = {"rules": tuple(rules), "withheld": withheld, "proposals": proposals}
    return lineage_bytes(lineage.model_copy(update=update))


def _words_for(hit: RescanHit) -> str:
    return "a value redacted from a trace" if hit.known else hit.kind
