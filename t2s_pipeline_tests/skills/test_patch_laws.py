"""Laws of patches over generated documents: nothing outside the addressed lines ever changes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from t2s_pipeline.errors import EditRefused, SkillInvalid
from t2s_pipeline.skills.document import Document, split_lines
from t2s_pipeline.skills.edits import DeleteSection, Edit, Patch, Replace, SetDescription
from t2s_pipeline.skills.frontmatter import read_frontmatter
from t2s_pipeline.skills.patching import apply_patch
from t2s_pipeline.skills.splices import resolve_splice
from t2s_pipeline.skills.tree import SKILL_FILE, FileBody, content_hash
from t2s_pipeline_tests.skills.markdown_strategies import documents, documents_and_patches

CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def addressed(document: Document, edits: tuple[Edit, ...]) -> set[int]:
    """Lines that the edits replace or delete."""
    lines: set[int] = set()
    for number, edit in enumerate(edits, start=1):
        if isinstance(edit, Replace | DeleteSection):
            splice = resolve_splice(document, number, edit)
            lines |= set(range(splice.first, splice.end))
    return lines


def check_patch(tree: dict[str, FileBody], patch: Patch) -> None:
    """The lines not addressed are all there, in order, byte for byte, and the headings among them still are
    headings; every other line of the result comes from the patch."""
    before = Document.parse(tree[SKILL_FILE].data)
    try:
        after = Document.parse(apply_patch(tree, patch)[SKILL_FILE].data)
    except EditRefused as refusal:
        event("refused: it would disturb other text" if "would change" in str(refusal) else "refused")
        return
    event("applied")
    gone = addressed(before, patch.edits)
    kept = [line for number, line in enumerate(before.lines) if number not in gone]
    position = 0
    texts = [line for edit in patch.edits for line in split_lines(getattr(edit, "text", ""))]
    inserted = {line.rstrip("\r\n") for line in texts} | {""}
    inserted |= {f"{'#' * edit.level} {edit.title}" for edit in patch.edits if edit.op == "add_section"}
    for number, line in enumerate(kept):
        last = number == len(kept) - 1
        while after.lines[position] != line and not (
            last and not line.endswith(("\n", "\r")) and after.lines[position].rstrip("\r\n") == line
        ):
            assert after.lines[position].rstrip("\r\n").strip() in {text.strip() for text in inserted}
            position += 1
        position += 1
    assert all(line.rstrip("\r\n") in inserted for line in after.lines[position:])

    headings = [
        (section.level, section.title)
        for section in before.sections
        if not gone & set(range(section.first, section.body))
    ]
    still = [(section.level, section.title) for section in after.sections]
    remaining = iter(still)
    assert all(heading in remaining for heading in headings), (headings, still)


@settings(max_examples=150, deadline=None, suppress_health_check=CALM)
@given(documents_and_patches())
def test_a_patch_changes_only_the_lines_it_addresses(case: tuple[dict[str, FileBody], Patch]) -> None:
    check_patch(*case)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=CALM)
@given(documents_and_patches())
def test_a_patch_changes_only_the_lines_it_addresses_in_thousands_of_documents(
    case: tuple[dict[str, FileBody], Patch],
) -> None:
    check_patch(*case)


@settings(max_examples=100, deadline=None, suppress_health_check=CALM)
@given(documents())
def test_parsing_and_writing_a_document_gives_its_bytes_back(data: bytes) -> None:
    assert Document.parse(data).to_bytes() == data


@settings(max_examples=100, deadline=None, suppress_health_check=CALM)
@given(documents(), st.sampled_from(["A: \"quoted\" 'text' # no comment", "描述 — ещё", "- [x] {y}: *z*"]))
def test_a_new_description_changes_the_frontmatter_and_nothing_else(data: bytes, text: str) -> None:
    tree = {SKILL_FILE: FileBody(data)}
    before = Document.parse(data)
    patch = Patch(base_hash=content_hash(tree), edits=(SetDescription(text=text),))
    try:
        keys = read_frontmatter(before)
    except SkillInvalid:  # text between two rulers at the top: looks like frontmatter and is none
        with pytest.raises(SkillInvalid):
            apply_patch(tree, patch)
        return

    result = apply_patch(tree, patch)

    after = Document.parse(result[SKILL_FILE].data)
    assert read_frontmatter(after)["description"] == text
    body = "".join(before.lines[before.body_start :]).encode("utf-8", "surrogateescape")
    assert result[SKILL_FILE].data.endswith(body)
    assert dict(read_frontmatter(after)) | {"description": ""} == dict(keys) | {"description": ""}
