"""Applying a patch: every anchor resolved, every refusal raised, before a single byte changes.

What is outside the addressed lines stays as it was, byte for byte, and is read by a Markdown parser
exactly as before: an edit that would swallow, split or re-level other text is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from t2s_pipeline.errors import EditRefused
from t2s_pipeline.skills.document import Document, resolve_link
from t2s_pipeline.skills.edits import (
    CreateReference,
    DeleteReference,
    DeleteSection,
    Edit,
    Patch,
    SetDescription,
)
from t2s_pipeline.skills.frontmatter import set_keys
from t2s_pipeline.skills.spec import broken_links
from t2s_pipeline.skills.splices import Splice, TextEdit, deletion_of_links, joined, resolve_splice
from t2s_pipeline.skills.tree import SKILL_FILE, FileBody, SkillTree, content_hash, unsafe_path

_REFERENCE = re.compile(r"references/[^/]+\.md")


@dataclass(frozen=True)
class _Plan:
    """A patch sorted by what it touches."""

    text_edits: tuple[tuple[int, TextEdit], ...]
    created: dict[str, CreateReference]
    deleted: dict[str, int]
    description: str | None


def apply_patch(tree: SkillTree, patch: Patch) -> dict[str, FileBody]:
    """The directory after the patch; `tree` itself is not changed.

    Raises EditRefused, naming the edit by its number from 1, when the base is another one, a path leaves
    the directory, an anchor is missing or ambiguous, edits overlap, a link would lead nowhere, or text
    outside the edits would be read differently.
    """
    actual = content_hash(tree)
    if patch.base_hash != actual:
        raise EditRefused(
            f"The patch was made for content {patch.base_hash}, but the directory is {actual}. "
            "Make the patch again from what is there now."
        )
    plan = _sorted_out(tree, patch.edits)
    documents = {path: Document.parse(body.data) for path, body in tree.items() if path.endswith(".md")}
    splices: dict[str, list[Splice]] = {}
    for number, edit in plan.text_edits:
        splices.setdefault(edit.path, []).append(resolve_splice(documents[edit.path], number, edit))
    for path, number in plan.deleted.items():
        removed = deletion_of_links(documents[SKILL_FILE], number, path)
        splices.setdefault(SKILL_FILE, []).extend(removed)
    result = {path: body for path, body in tree.items() if path not in plan.deleted}
    for path, changes in splices.items():
        if path in result:
            result[path] = FileBody(spliced(documents[path], changes).to_bytes(), tree[path].executable)
    if plan.description is not None:
        changed = set_keys(Document.parse(result[SKILL_FILE].data), {"description": plan.description})
        result[SKILL_FILE] = FileBody(changed.to_bytes(), tree[SKILL_FILE].executable)
    for path, created in plan.created.items():
        result[path] = FileBody(created.text.rstrip("\r\n").encode("utf-8", "surrogateescape") + b"\n")
    _refuse_new_broken_links(tree, result)
    return result


def _sorted_out(tree: SkillTree, edits: Sequence[Edit]) -> _Plan:
    text_edits: list[tuple[int, TextEdit]] = []
    created: dict[str, CreateReference] = {}
    deleted: dict[str, int] = {}
    descriptions: list[str] = []
    for number, edit in enumerate(edits, start=1):
        if isinstance(edit, SetDescription):
            if "---" in edit.text:
                raise EditRefused(
                    f"Edit {number}: a description with `---` in it ends the frontmatter early."
                )
            descriptions.append(edit.text)
            continue
        if (reason := unsafe_path(edit.path)) is not None:
            raise EditRefused(f"Edit {number}: {edit.path!r} is not a path in the skill: {reason}.")
        if isinstance(edit, CreateReference):
            _check_created(tree, created, number, edit)
            created[edit.path] = edit
            if edit.link is not None:
                text_edits.append((number, edit.link))
        elif isinstance(edit, DeleteReference):
            if edit.path not in tree or not _REFERENCE.fullmatch(edit.path):
                raise EditRefused(f"Edit {number}: there is no reference {edit.path!r} to delete.")
            if edit.path in deleted:
                raise EditRefused(f"Edit {number}: {edit.path} is deleted twice.")
            deleted[edit.path] = number
        else:
            text_edits.append((number, edit))
    for number, text_edit in text_edits:
        if text_edit.path not in tree or not text_edit.path.endswith(".md") or text_edit.path in deleted:
            raise EditRefused(f"Edit {number}: there is no Markdown file {text_edit.path!r} to edit.")
    _refuse_unlinked(created, text_edits)
    if len(descriptions) > 1:
        raise EditRefused("The patch sets the description more than once.")
    if (descriptions or deleted) and SKILL_FILE not in tree:
        raise EditRefused("The directory has no SKILL.md.")
    return _Plan(tuple(text_edits), created, deleted, descriptions[0] if descriptions else None)


def _check_created(
    tree: SkillTree, created: dict[str, CreateReference], number: int, edit: CreateReference
) -> None:
    if not _REFERENCE.fullmatch(edit.path):
        raise EditRefused(f"Edit {number}: a reference is references/<name>.md, not {edit.path!r}.")
    if edit.path in tree or edit.path in created:
        raise EditRefused(f"Edit {number}: {edit.path} exists already.")


def _refuse_unlinked(created: dict[str, CreateReference], text_edits: Sequence[tuple[int, TextEdit]]) -> None:
    linked = {
        resolve_link(SKILL_FILE, target)
        for _, edit in text_edits
        if edit.path == SKILL_FILE and not isinstance(edit, DeleteSection)
        for _, target in Document.parse(edit.text).links()
    }
    for path in created:
        if path not in linked:
            raise EditRefused(f"{path} would be created without a link to it in SKILL.md.")


def _refuse_new_broken_links(before: SkillTree, after: SkillTree) -> None:
    known = {problem.split(" links to ", 1)[1] for problem in broken_links(before)}
    for problem in broken_links(after):
        if problem.split(" links to ", 1)[1] not in known:
            raise EditRefused(f"The patch leaves a broken link: {problem}")


def spliced(document: Document, splices: Sequence[Splice]) -> Document:
    """The document with the splices made. Raises EditRefused when they overlap or disturb other text."""
    ordered = sorted(enumerate(splices), key=lambda pair: (pair[1].first, pair[1].end, pair[0]))
    changes = joined(document, [splice for _, splice in ordered])
    _refuse_overlaps([splice for _, splice in ordered])
    lines: list[str] = []
    shifts: list[tuple[int, int, int, int]] = []
    position = 0
    for change in changes:
        lines.extend(document.lines[position : change.first])
        if change.lines and lines and not lines[-1].endswith(("\r", "\n")):
            lines[-1] += document.newline
        start = len(lines)
        lines.extend(change.lines)
        shifts.append((change.first, change.end, start, len(lines)))
        position = change.end
    lines.extend(document.lines[position:])
    if lines and document.lines and not document.lines[-1].endswith(("\r", "\n")):
        changed_tail = bool(changes) and changes[-1].end == len(document.lines) and bool(changes[-1].lines)
        if changed_tail:
            lines[-1] = lines[-1].rstrip("\r\n")
    result = document.with_lines(lines)
    _refuse_disturbance(document, result, shifts)
    return result


def _refuse_overlaps(splices: Sequence[Splice]) -> None:
    for position, one in enumerate(splices):
        for other in splices[position + 1 :]:
            for changed, asked in ((one, other), (other, one)):
                touched = range(changed.first, changed.end)
                inside = changed.first < asked.first < changed.end
                if any(line in touched for line in (*range(asked.first, asked.end), *asked.anchors)) or (
                    inside and changed.first < changed.end
                ):
                    raise EditRefused(
                        f"Edits {changed.number} and {asked.number} touch the same line "
                        f"({changed.first + 1} to {changed.end}); make them one edit."
                    )


def _refuse_disturbance(
    before: Document, after: Document, shifts: Sequence[tuple[int, int, int, int]]
) -> None:
    """Every block outside the edits must be read as before, at its new place."""

    def moved(line: int) -> int:
        offset = 0
        for first, end, _, stop in shifts:
            if line >= end and line >= first:
                offset = stop - end
        return line + offset

    found = {(leaf.kind, leaf.first, leaf.end, leaf.depth) for leaf in after.leaves}
    expected = set()
    for leaf in before.leaves:
        if any(first < leaf.end and leaf.first < end for first, end, _, _ in shifts if first < end):
            continue
        wanted = (leaf.kind, moved(leaf.first), moved(leaf.end - 1) + 1, leaf.depth)
        expected.add(wanted)
        if wanted not in found:
            line = leaf.first + 1
            raise EditRefused(
                f"The edit would change how line {line} is read ({before.lines[leaf.first].strip()[:60]!r}): "
                "it opens a block that swallows what follows, or continues one that came before."
            )
    for kind, first, end, _depth in found - expected:
        inserted = any(first < stop and start < end for _, _, start, stop in shifts)
        if kind.startswith("heading") and not inserted:
            raise EditRefused(f"The edit would turn line {first + 1} into a heading that was none before.")
