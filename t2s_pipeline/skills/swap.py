"""Putting a directory in the place of another so that a crash at any moment leaves one of the two whole.

Where the system can exchange two names in one step (Linux `renameat2`), that is what happens. Elsewhere it
is two renames, and `recover` puts the old directory back when the program died between them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from t2s_pipeline.skills.tree import (
    LOCAL_NAMES,
    SkillTree,
    read_tree,
    strangers_in,
    sync_directory,
    write_tree,
)

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def _beside(target: Path, role: str) -> Path:
    return target.with_name(f".t2s-{role}-{target.name}")


def replace_directory(target: Path, tree: SkillTree) -> Path | None:
    """Make `target` hold exactly `tree`; the directory that was there before is returned, or None.

    The caller looks at the returned directory if it wants to and then calls `discard` on it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    writing, ready, old = _beside(target, "writing"), _beside(target, "ready"), _beside(target, "old")
    shutil.rmtree(writing, ignore_errors=True)
    write_tree(writing, tree)
    writing.rename(ready)
    if not target.exists():
        ready.rename(target)
        sync_directory(target.parent)
        return None
    if exchange(ready, target):
        ready.rename(old)
    else:
        target.rename(old)
        ready.rename(target)
    sync_directory(target.parent)
    return old


def recover(target: Path, keep: Callable[[SkillTree], None]) -> None:
    """Finish or undo what a program that died in `replace_directory` left behind.

    Complete directories found beside `target` are passed to `keep` before they go: one of them may be the
    old skill with edits nobody else has.
    """
    shutil.rmtree(_beside(target, "writing"), ignore_errors=True)
    old, ready = _beside(target, "old"), _beside(target, "ready")
    if not target.exists():
        for candidate in (old, ready):
            if candidate.exists():
                candidate.rename(target)
                break
    for left in (old, ready):
        if left.exists():
            keep(read_tree(left).files)
            discard(left, target)


def discard(old: Path, target: Path) -> None:
    """Delete a directory that was replaced, after moving over what belongs to the machine (`.git`, …) and
    what somebody put there that no version can hold, such as a link."""
    for name in (*sorted(LOCAL_NAMES), *strangers_in(old)):
        place = target / name
        if os.path.lexists(old / name) and not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            (old / name).rename(place)
    shutil.rmtree(old)


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two directories in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    failed: int = renameat2(
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(one)),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(other)),
        ctypes.c_uint(_RENAME_EXCHANGE),
    )
    return failed == 0
