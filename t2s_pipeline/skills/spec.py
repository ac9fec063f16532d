"""What a skill directory must be: the Agent Skills specification and our stricter limits.

`skills-ref` is the specification's own checker; what it leaves open (sizes, links, paths, types of the
optional keys) is checked here.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from skills_ref.errors import SkillError
from skills_ref.parser import parse_frontmatter
from skills_ref.validator import validate_metadata

from t2s_pipeline.skills.document import Document, resolve_link
from t2s_pipeline.skills.tree import LINEAGE_FILE, SKILL_FILE, SkillTree, read_tree

MAX_BODY_LINES = 500
MAX_BODY_TOKENS = 5_000
MAX_OWN_DESCRIPTION = 350
"""Clients cut long descriptions in their listings; a description we write stays below this."""
MAX_REFERENCE_LINES_WITHOUT_CONTENTS = 300
REFERENCES = "references"

_PIECE = re.compile(r"[A-Za-z]+|[0-9]+|[ \t]+|[\r\n]+|.", re.DOTALL)

_LETTERS_PER_TOKEN = 5
"""English words up to this length are one token in every byte-pair vocabulary in use; longer ones are
split. Rare words split finer, common long words not at all."""
_DIGITS_PER_TOKEN = 2
"""Vocabularies split numbers in groups of one to three digits."""
_BYTES_PER_TOKEN = 2
"""UTF-8 bytes of other scripts per token: one a letter for Cyrillic or Greek, one and a half for CJK."""


class Frontmatter(BaseModel):
    """The six keys of the specification, with the types and lengths it gives them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\W_]+(-[^\W_]+)*$")
    description: str = Field(min_length=1, max_length=1024)
    license: str | None = Field(default=None, max_length=500)
    allowed_tools: str | None = Field(default=None, alias="allowed-tools")
    metadata: dict[str, str] = {}
    compatibility: str | None = Field(default=None, min_length=1, max_length=500)


def check_skill_directory(path: Path) -> list[str]:
    """What is wrong with the skill directory at `path`, one sentence each; empty when nothing is."""
    if not path.is_dir():
        return [f"{path} is not a directory."]
    if path.is_symlink():
        return [f"{path} is a symbolic link; a skill directory must be a real one."]
    read = read_tree(path)
    return [*read.left_out, *check_skill_tree(path.resolve().name, read.files)]


def check_skill_tree(name: str, tree: SkillTree) -> list[str]:
    """The same for a directory called `name` that is not written yet."""
    if SKILL_FILE not in tree:
        return ["SKILL.md is missing."]
    try:
        text = tree[SKILL_FILE].data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [f"SKILL.md is not UTF-8: {error}"]
    problems = _check_frontmatter(name, text, _own_description(tree))
    problems += _check_body(Document.parse(text))
    problems += _check_references(tree)
    problems += broken_links(tree)
    return problems


def _own_description(tree: SkillTree) -> bool:
    """Whether the pipeline wrote the description, as the lineage file says."""
    if LINEAGE_FILE not in tree:
        return False
    try:
        lineage: Any = orjson.loads(tree[LINEAGE_FILE].data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(lineage, dict) and lineage.get("description") == "generated"


def _check_frontmatter(name: str, text: str, own: bool) -> list[str]:
    try:
        metadata, _ = parse_frontmatter(text)
    except SkillError as error:
        return [f"SKILL.md: {error}"]
    problems = list(validate_metadata(metadata, Path(name)))
    try:
        parsed = Frontmatter.model_validate(metadata)
    except ValidationError as error:
        for detail in error.errors():
            place = ".".join(str(part) for part in detail["loc"])
            problems.append(f"Frontmatter key {place!r}: {detail['msg']}.")
        return problems
    if own and len(parsed.description) > MAX_OWN_DESCRIPTION:
        problems.append(
            f"The description has {len(parsed.description)} characters; ours end at {MAX_OWN_DESCRIPTION}."
        )
    return problems


def estimate_tokens(text: str) -> int:
    """Tokens of `text`, estimated on the safe side.

    Against the o200k and cl100k byte-pair vocabularies the estimate is 18 to 48 % above the count on English
    documentation, skills and Python, and 2 to 3 times the count on Russian and Japanese prose.

    Counted: a token per started group of letters or digits of the sizes above, one per punctuation mark
    and per run of line ends, one per run of two or more spaces (a single space belongs to the next word).
    """
    total = 0
    for piece in _PIECE.findall(text):
        first = piece[0]
        if first.isascii() and first.isalpha():
            total += -(-len(piece) // _LETTERS_PER_TOKEN)
        elif first.isascii() and first.isdigit():
            total += -(-len(piece) // _DIGITS_PER_TOKEN)
        elif first in " \t":
            total += len(piece) > 1
        elif first in "\r\n" or first.isascii():
            total += 1
        else:
            total += -(-len(piece.encode("utf-8", "surrogateescape")) // _BYTES_PER_TOKEN)
    return total


def body_size(document: Document) -> tuple[int, int]:
    """(lines, estimated tokens) of everything after the frontmatter."""
    body = document.lines[document.body_start :]
    return len(body), estimate_tokens("".join(body))


def _check_body(document: Document) -> list[str]:
    lines, tokens = body_size(document)
    problems = []
    if lines >= MAX_BODY_LINES:
        problems.append(f"The body of SKILL.md has {lines} lines; it must stay below {MAX_BODY_LINES}.")
    if tokens >= MAX_BODY_TOKENS:
        problems.append(
            f"The body of SKILL.md has about {tokens} tokens; it must stay below {MAX_BODY_TOKENS}."
        )
    return problems


def _check_references(tree: SkillTree) -> list[str]:
    problems = []
    body = tree[SKILL_FILE].data.decode("utf-8", "replace")
    linked = {target for path, _, target in _resolved_links(tree) if path == SKILL_FILE}
    for path, file in tree.items():
        parts = PurePosixPath(path).parts
        if parts[0] != REFERENCES or len(parts) < 2:
            continue
        if len(parts) > 2:
            problems.append(f"{path} lies deeper than one level below {REFERENCES}/.")
        if path not in linked and path not in body:
            problems.append(f"{path} is not linked from SKILL.md, so nobody will read it.")
        if path.endswith(".md"):
            problems += _check_contents(path, Document.parse(file.data))
    return problems


def _check_contents(path: str, document: Document) -> list[str]:
    if len(document.lines) <= MAX_REFERENCE_LINES_WITHOUT_CONTENTS:
        return []
    if any(section.title.lower() in ("contents", "table of contents") for section in document.sections):
        return []
    return [f"{path} has {len(document.lines)} lines and no section called Contents."]


def _resolved_links(tree: SkillTree) -> list[tuple[str, int, str]]:
    """(file, line from 1, target path in the skill) of every relative link of every Markdown file."""
    found = []
    for path, file in sorted(tree.items()):
        if not path.endswith(".md"):
            continue
        for line, target in Document.parse(file.data).links():
            resolved = resolve_link(path, target)
            if resolved is not None:
                found.append((path, line + 1, resolved))
    return found


def broken_links(tree: SkillTree) -> list[str]:
    """Relative links that lead to no file of the skill."""
    folders = {str(parent) for path in tree for parent in PurePosixPath(path).parents}
    return [
        f"{path}:{line} links to {target!r}, which is not in the skill."
        for path, line, target in _resolved_links(tree)
        if target not in tree and target not in folders
    ]
