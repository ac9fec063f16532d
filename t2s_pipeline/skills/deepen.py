"""A person's skill, deepened: rules are added by a patch, what the person wrote stays as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from t2s_pipeline.errors import EditRefused, SkillInvalid
from t2s_pipeline.skills.document import Document, Section, without_ending
from t2s_pipeline.skills.edits import (
    AddSection,
    AppendToSection,
    CreateReference,
    Edit,
    HeadingAnchor,
    InsertAfter,
    InsertBefore,
    LineAnchor,
    Patch,
)
from t2s_pipeline.skills.frontmatter import read_frontmatter, set_keys
from t2s_pipeline.skills.hosts import best_host, said_already
from t2s_pipeline.skills.lineage_file import Written
from t2s_pipeline.skills.patching import apply_patch
from t2s_pipeline.skills.rules import SECTION_TITLES, SECTIONS, Rule, make_rules, of_section, route
from t2s_pipeline.skills.sources import Learnt
from t2s_pipeline.skills.spec import MAX_BODY_LINES, MAX_BODY_TOKENS, body_size
from t2s_pipeline.skills.tree import LINEAGE_FILE, SKILL_FILE, FileBody, SkillTree, content_hash
from t2s_pipeline.skills.writer import (
    REFERENCES_TITLE,
    STRUCTURE_LINES,
    STRUCTURE_TOKENS,
    Generated,
    Reference,
    create_skill,
    describe,
    introduction,
    provenance,
    reference_files,
    rule_list,
    structure_lines,
)

LEARNT_TITLE = "Learnt from runs"

_ITEM = re.compile(r"( {0,3})([-*+])\s")


def deepen_skill(learnt: Learnt, base: SkillTree) -> Generated:
    """The base skill with what was learnt added; every other byte of it is the same.

    A base without SKILL.md only brings its other files along.
    """
    files = {path: body for path, body in base.items() if path != LINEAGE_FILE}
    if SKILL_FILE not in files and "skill.md" in files:
        files[SKILL_FILE] = files.pop("skill.md")  # the spelling every client finds
    if SKILL_FILE not in files:
        created = create_skill(learnt)
        return replace(created, files={**files, **created.files})
    document = _readable(files[SKILL_FILE].data)
    made = make_rules(learnt, _usual_marker(document))
    confirmed = _confirmed(files, made.rules)
    lines, tokens = body_size(document)
    routed = route(
        [rule for rule in made.rules if rule.rule_id not in confirmed],
        lines=MAX_BODY_LINES - STRUCTURE_LINES - lines,
        tokens=MAX_BODY_TOKENS - STRUCTURE_TOKENS - tokens,
    )
    references = reference_files(routed.references, taken=list(files))
    patch, placed = _patch(files, document, learnt, routed.skill, references)
    result = apply_patch(files, patch)
    problems = list(made.problems)
    if len(placed) < len(routed.skill):
        problems.append("SKILL.md of the base skill cannot be edited safely: it ends inside an open block.")
    described, problems_found = _with_frontmatter(learnt, made.rules, result)
    written = [
        Written(rule.rule_id, rule.cluster.cluster_id, SKILL_FILE, placed[rule.rule_id])
        for rule in routed.skill
        if rule.rule_id in placed
    ]
    for reference in references:
        if reference.path in result:
            written += reference.written()
    written += [
        Written(rule.rule_id, rule.cluster.cluster_id, *confirmed[rule.rule_id], "confirmed", rule.line)
        for rule in made.rules
        if rule.rule_id in confirmed
    ]
    return Generated(
        files=result,
        written=tuple(written),
        structure=structure_lines(result, written, files),
        description="generated" if described else "base",
        based_on="base skill",
        problems=(*problems, *problems_found),
        patch=patch,
    )


def _confirmed(files: SkillTree, rules: Sequence[Rule]) -> dict[str, tuple[str, str]]:
    """Rules that the base says already, with the file and the line; SKILL.md before other files."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(files, key=lambda path: (path != SKILL_FILE, path)):
        if path.endswith(".md"):
            document = Document.parse(files[path].data)
            missing = {rule.rule_id: rule.line for rule in rules if rule.rule_id not in found}
            for rule_id, line in said_already(document, missing).items():
                found[rule_id] = (path, without_ending(document.lines[line]))
    return found


def _readable(data: bytes) -> Document:
    try:
        return Document.parse(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SkillInvalid(
            f"SKILL.md of the base skill is not UTF-8 (byte {error.start}); save it as UTF-8 and run again."
        ) from error


def _patch(
    files: SkillTree,
    document: Document,
    learnt: Learnt,
    rules: Sequence[Rule],
    references: Sequence[Reference],
) -> tuple[Patch, dict[str, str]]:
    """The patch that adds the rules, and the line each rule got. Edits the base refuses are left out."""
    base_hash = content_hash(files)
    edits: list[Edit] = []
    placed: dict[str, str] = {}
    homeless = list(rules)
    groups: dict[tuple[str, ...], tuple[Section, list[Rule]]] = {}
    for rule in rules:
        host = best_host(document, rule)
        if host is not None:
            groups.setdefault(host.path, (host, []))[1].append(rule)
    for path, (host, group) in groups.items():
        marker = _marker_at_end(document, host)
        lines = [marker + rule.line[1:] for rule in group]
        edit = AppendToSection(anchor=HeadingAnchor(heading=path), text="\n".join(lines))
        if _fits(files, base_hash, [*edits, edit]):
            edits.append(edit)
            placed |= {rule.rule_id: line for rule, line in zip(group, lines, strict=True)}
            homeless = [rule for rule in homeless if rule not in group]
    added, at_home = _new_section(files, base_hash, document, learnt, homeless, references, edits)
    edits += added
    if at_home:
        placed |= {rule.rule_id: rule.line for rule in homeless}
    return Patch(base_hash=base_hash, edits=tuple(edits)), placed


def _new_section(
    files: SkillTree,
    base_hash: str,
    document: Document,
    learnt: Learnt,
    rules: Sequence[Rule],
    references: Sequence[Reference],
    edits: Sequence[Edit],
) -> tuple[list[Edit], bool]:
    """The edits for rules without a section of their own and for references, and whether they fit."""
    if not rules and not references:
        return [], True
    text = _section_text(learnt, rules, references)
    created: list[Edit] = [
        CreateReference(path=reference.path, text=reference.text) for reference in references
    ]
    for edit in _places(document, text):
        if _fits(files, base_hash, [*edits, edit, *created]):
            return [edit, *created], True
    return [], False


def _section_text(learnt: Learnt, rules: Sequence[Rule], references: Sequence[Reference]) -> str:
    """`## Learnt from runs` and `## Rarer cases`, the second one below the first when both are there."""
    body: list[str] = []
    if rules:
        body += [f"## {LEARNT_TITLE}", "", introduction(learnt, True), ""]
        for section in SECTIONS:
            chosen = of_section(rules, section)
            if chosen:
                body += [f"### {SECTION_TITLES[section]}", "", *rule_list(chosen, 4), ""]
    if references:
        body += [f"{'###' if rules else '##'} {REFERENCES_TITLE}", ""]
        body += [*(reference.link for reference in references), ""]
    return "\n".join(body[:-1])


def _places(document: Document, text: str) -> list[Edit]:
    """Where a new section may go, best first: last, before the first section, after the title, on top."""
    title, _, rest = text.partition("\n")
    marks, _, words = title.partition(" ")
    places: list[Edit] = [AddSection(title=words, level=len(marks), text=rest.lstrip("\n"))]
    for section in document.sections:
        if section.level == 2:
            places.append(InsertBefore(anchor=HeadingAnchor(heading=section.path), text=text))
    for section in document.sections[:1]:
        places.append(InsertAfter(anchor=HeadingAnchor(heading=section.path), text=text))
    for block in document.blocks[:1]:
        line = without_ending(document.lines[block.first])
        places.append(InsertBefore(anchor=LineAnchor(line=line), text=text))
    return places


def _fits(files: SkillTree, base_hash: str, edits: Sequence[Edit]) -> bool:
    try:
        apply_patch(files, Patch(base_hash=base_hash, edits=tuple(edits)))
    except EditRefused:
        return False
    return True


def _usual_marker(document: Document) -> str:
    """The bullet the person uses most; `-` when they use none."""
    bullets = Counter(item.marker for item in document.items if not item.ordered and item.depth == 1)
    return bullets.most_common(1)[0][0] if bullets else "-"


def _marker_at_end(document: Document, section: Section) -> str:
    """The bullet (with its indent) of the list the section's own text ends with, else the usual one."""
    end = document.text_end(section)
    for item in reversed(document.items):
        if item.depth == 1 and not item.ordered and item.end == end:
            match = _ITEM.match(document.lines[item.first])
            if match:
                return match.group(1) + match.group(2)
    return _usual_marker(document)


def _with_frontmatter(
    learnt: Learnt, rules: Sequence[Rule], files: dict[str, FileBody]
) -> tuple[bool, list[str]]:
    """Put name, version and counts into the frontmatter of `files`, a description only where none is.

    Returns whether the description is ours, and what could not be put right.
    """
    body = files[SKILL_FILE]
    document = Document.parse(body.data)
    try:
        current = read_frontmatter(document)
    except SkillInvalid as error:
        return False, [str(error)]
    problems = []
    if document.bom:
        document = Document(document.lines)
        problems.append("The base skill began with a byte order mark; the specification allows none.")
    described = not str(current.get("description") or "").strip()
    values: dict[str, str | dict[str, str]] = {}
    if str(current.get("name") or "").strip() != learnt.skill:
        if current.get("name"):
            problems.append(
                f"The base skill calls itself {current['name']!r}; it is published as {learnt.skill!r}."
            )
        values["name"] = learnt.skill
    if described:
        values["description"] = describe(learnt.skill, rules, learnt.tools)
    metadata = current.get("metadata")
    if metadata is None or isinstance(metadata, dict):
        theirs = metadata or {}
        own = str(theirs.get("generator", "")).startswith("t2s-pipeline")
        values["metadata"] = {
            key if own or key not in theirs else f"t2s-{key}": value
            for key, value in provenance(learnt).items()
        }
    files[SKILL_FILE] = FileBody(set_keys(document, values).to_bytes(), body.executable)
    return described, problems
