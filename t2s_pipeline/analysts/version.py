"""Versions of code that decides results: equal sources, equal version; a changed analyst shows as stale."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def source_version(roots: Iterable[Path], suffixes: tuple[str, ...] = (".py", ".md")) -> str:
    """12 hex digits of the contents of all source files below the given files or folders."""
    digest = hashlib.sha256()
    for root in roots:
        files = (
            [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.suffix in suffixes)
        )
        for path in files:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


_HERE = Path(__file__).parent
_SHARED = (_HERE / "lesson.py", _HERE / "grounding.py", _HERE / "analyse.py", _HERE / "statistical")
_VERSIONS = {
    "statistical": source_version(_SHARED),
    # The model's analysts read beside the statistical ones; prompts are part of what they are.
    "llm": source_version((*_SHARED, _HERE / "by_model.py", _HERE / "llm")),
}


def analysts_version(engine: str) -> str:
    """Changes whenever the analysts of an engine, their prompts, or the code they share change. Kept apart
    from `analyse` so that it can be known without importing the statistics, which takes two seconds.
    """
    return _VERSIONS[engine]
