"""The YAML block at the top of SKILL.md: read, and changed one key at a time.

A key is replaced by its own lines only, so a person's quoting, comments and order of the other keys stay
as they were.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.document import Document, without_ending

_UNWRAPPED = 1_000_000
"""Width in characters at which the writer would fold a line: never."""


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = _UNWRAPPED
    yaml.allow_unicode = True
    return yaml


def _load(document: Document) -> CommentedMap:
    if document.frontmatter is None:
        return CommentedMap()
    _, end = document.frontmatter
    source = "\n".join(without_ending(line) for line in document.lines[1 : end - 1])
    try:
        loaded = _yaml().load(source)
    except YAMLError as error:
        raise SkillInvalid(f"The frontmatter of SKILL.md is not valid YAML: {error}") from error
    if loaded is None:
        return CommentedMap()
    if not isinstance(loaded, CommentedMap):
        raise SkillInvalid("The frontmatter of SKILL.md is not a mapping of keys to values.")
    return loaded


def read_frontmatter(document: Document) -> dict[str, Any]:
    """The keys and values of the block; empty without one. Raises SkillInvalid when it is not YAML."""
    return dict(_load(document))


def set_keys(document: Document, values: Mapping[str, str | Mapping[str, str]]) -> Document:
    """The document with these keys set; all other lines are the same.

    A mapping value is merged into the mapping already there. Raises SkillInvalid when the block is not YAML.
    """
    current = _load(document)
    newline = document.newline
    if document.frontmatter is None:
        lines = [f"---{newline}", f"---{newline}"]
        body = list(document.lines)
        lines.extend([newline, *body] if body and body[0].strip() else body)
        end = 2
    else:
        lines = list(document.lines)
        end = document.frontmatter[1]
    ranges = _key_ranges(current, [without_ending(line) for line in lines[1 : end - 1]])
    inserted: list[str] = []
    replaced: list[tuple[int, int, list[str]]] = []
    for key, value in values.items():
        block = [line + newline for line in _dump(key, value, current).splitlines()]
        if key in ranges:
            replaced.append((*ranges[key], block))
        else:
            inserted.extend(block)
    lines[end - 1 : end - 1] = inserted
    for first, last, block in sorted(replaced, key=lambda change: change[0], reverse=True):
        lines[first + 1 : last + 1] = block
    return document.with_lines(lines)


def _dump(key: str, value: str | Mapping[str, str], current: CommentedMap) -> str:
    written: Any = value
    if not isinstance(value, str):
        present = current.get(key)
        written = present if isinstance(present, CommentedMap) else CommentedMap()
        written.fa.set_block_style()  # `{a: b}` is YAML, but the specification's own parser refuses it
        for inner, text in value.items():
            written[inner] = DoubleQuotedScalarString(text)
    out = io.StringIO()
    _yaml().dump(CommentedMap({key: written}), out)
    return out.getvalue()


def _key_ranges(current: CommentedMap, lines: list[str]) -> dict[str, tuple[int, int]]:
    """Lines of each top-level key and its value, trailing comments and blank lines left out."""
    starts = sorted((current.lc.key(key)[0], key) for key in current) if current else []
    ranges = {}
    for position, (first, key) in enumerate(starts):
        end = starts[position + 1][0] if position + 1 < len(starts) else len(lines)
        while end > first + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
            end -= 1
        ranges[str(key)] = (first, end)
    return ranges
