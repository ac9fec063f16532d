"""Versions of what decides a result: equal sources and equal settings, equal version."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path

import orjson
from pydantic import BaseModel


def source_version(
    roots: Iterable[Path], suffixes: tuple[str, ...] = (".py", ".md"), *, without: Collection[str] = ()
) -> str:
    """12 hex digits of the contents of all source files below the given files or folders, files with the
    names in `without` left out.
    """
    digest = hashlib.sha256()
    for root in roots:
        files = (
            [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.suffix in suffixes)
        )
        for path in files:
            if path.name not in without:
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def settings_version(settings: BaseModel, names: Collection[str]) -> str:
    """8 hex digits of the values of some fields, the same from every process."""
    body = orjson.dumps(ordered(settings.model_dump(include=set(names))), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).hexdigest()[:8]


def ordered(value: object) -> object:
    """The value with its sets as sorted lists: sets come out in another order in every process."""
    if isinstance(value, dict):
        return {name: ordered(inner) for name, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value
