"""Typed changes to a skill directory. Data only: what a patch may say, and what it may name.

Anchors are exact: a heading path (`("How to work",)` or `("Title", "How to work")`), or the whole text of
a line. An anchor that is empty, missing or found more than once is refused when the patch is applied.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from t2s_pipeline.skills.tree import SKILL_FILE

NonBlank = Annotated[str, StringConstraints(pattern=r"\S")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HeadingAnchor(_Frozen):
    """A section, named by the end of its heading path; the titles as written, markers left out."""

    heading: tuple[NonBlank, ...] = Field(min_length=1)


class LineAnchor(_Frozen):
    """A line, named by its whole text without the line ending; the block it lies in is what is meant."""

    line: NonBlank


Anchor = HeadingAnchor | LineAnchor


class InsertAfter(_Frozen):
    """New block after the anchor: after the heading line, or after the list item or block of a line."""

    op: Literal["insert_after"] = "insert_after"
    path: str = SKILL_FILE
    anchor: Anchor
    text: NonBlank


class InsertBefore(_Frozen):
    """New block before the anchor's heading, list item or block."""

    op: Literal["insert_before"] = "insert_before"
    path: str = SKILL_FILE
    anchor: Anchor
    text: NonBlank


class AppendToSection(_Frozen):
    """New block at the end of a section's own text, before its first sub-heading."""

    op: Literal["append_to_section"] = "append_to_section"
    path: str = SKILL_FILE
    anchor: HeadingAnchor
    text: NonBlank


class Replace(_Frozen):
    """The lines from `anchor` to `last` (the same line when left out) become `text`."""

    op: Literal["replace"] = "replace"
    path: str = SKILL_FILE
    anchor: LineAnchor
    last: LineAnchor | None = None
    text: NonBlank


class AddSection(_Frozen):
    """A new section: last in `parent`, or last in the document."""

    op: Literal["add_section"] = "add_section"
    path: str = SKILL_FILE
    parent: HeadingAnchor | None = None
    title: NonBlank
    level: int = Field(default=2, ge=1, le=6)
    text: str = ""

    @field_validator("title")
    @classmethod
    def _one_line(cls, title: str) -> str:
        if "\n" in title or "\r" in title:
            raise ValueError("a title is one line")
        return title.strip()


class DeleteSection(_Frozen):
    """A section goes, with its sub-sections."""

    op: Literal["delete_section"] = "delete_section"
    path: str = SKILL_FILE
    anchor: HeadingAnchor


LinkEdit = Annotated[InsertAfter | InsertBefore | AppendToSection | AddSection, Field(discriminator="op")]


class CreateReference(_Frozen):
    """A new file in references/ and the text in SKILL.md that links to it: its own `link`, or, when that is
    None, text that another edit of the same patch puts there. Without either the patch is refused.
    """

    op: Literal["create_reference"] = "create_reference"
    path: str
    text: NonBlank
    link: LinkEdit | None = None


class DeleteReference(_Frozen):
    """A file in references/ goes, and with it every list item or paragraph of SKILL.md that only links it."""

    op: Literal["delete_reference"] = "delete_reference"
    path: str


class SetDescription(_Frozen):
    """The description in the frontmatter of SKILL.md."""

    op: Literal["set_description"] = "set_description"
    text: Annotated[NonBlank, Field(max_length=1024)]


Edit = Annotated[
    InsertAfter
    | InsertBefore
    | AppendToSection
    | Replace
    | AddSection
    | DeleteSection
    | CreateReference
    | DeleteReference
    | SetDescription,
    Field(discriminator="op"),
]


class Patch(_Frozen):
    """Edits to one exact state of a directory. Insertions at one place are made in the order given."""

    base_hash: str
    """`content_hash` of the directory the edits were written for."""
    edits: tuple[Edit, ...]
