"""The prompts: Markdown files beside the analysts, with a version made of their contents."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

import orjson

from t2s_pipeline.llm.settings import Reading

_ROOT = resources.files(__package__) / "prompts"
_JSON_BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Prompt:
    """A system message and its version: equal versions, equal words."""

    text: str
    version: str


@cache
def prompt(*names: str, reading: Reading | None = None) -> Prompt:
    """The prompt made of the named files, one after the other, and of a way to read a trace."""
    parts = [_text(_ROOT / f"{name}.md") for name in names]
    if reading is not None:
        parts.insert(1, _text(_ROOT / "readings" / f"{reading}.md"))
    text = "\n\n".join(parts)
    return Prompt(text=text, version=_digest(text))


@cache
def example_lesson() -> dict[str, str]:
    """The texts of the example that the prompts show: a reply that repeats them saw nothing itself."""
    block = _JSON_BLOCK.search(_text(_ROOT / "lesson.md"))
    assert block is not None, "lesson.md shows an example"
    return {name: value for name, value in orjson.loads(block[1]).items() if isinstance(value, str)}


def prompts_version() -> str:
    """Version of all prompts together: part of the code version of what they produce."""
    files = [*_files(_ROOT), *_files(_ROOT / "readings")]
    return _digest("\0".join(f"{file.name}\0{_text(file)}" for file in files))


def _files(folder: Traversable) -> list[Traversable]:
    found = [file for file in folder.iterdir() if file.name.endswith(".md")]
    return sorted(found, key=lambda file: file.name)


def _text(file: Traversable) -> str:
    return file.read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


PROMPTS_VERSION = prompts_version()
