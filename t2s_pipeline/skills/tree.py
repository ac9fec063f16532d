"""A skill directory in memory: relative paths to file bodies, read and written without surprises."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SKILL_FILE = "SKILL.md"
LINEAGE_FILE = "lineage.json"

LOCAL_NAMES = frozenset({".git", ".hg", ".svn", ".DS_Store", "Thumbs.db", "__pycache__"})
"""Names that belong to the machine and not to the skill: never hashed, never part of a version."""

NO_VERSION = "000000000000"
"""Stands where the version goes while the version, a hash of the content, is not yet known."""

_VERSION_IN_FRONTMATTER = re.compile(rb'(?m)^(\s+(?:t2s-)?version: ")[0-9a-f]{12}("\s*)$')
_VERSION_IN_LINEAGE = re.compile(rb'\A(\{"format":\d+,"version":")[0-9a-f]{12}(")')


@dataclass(frozen=True)
class FileBody:
    """The bytes of one file and whether its owner may execute it."""

    data: bytes
    executable: bool = False


SkillTree = Mapping[str, FileBody]
"""Files of a skill directory by POSIX path relative to it."""


@dataclass(frozen=True)
class TreeRead:
    """What was found in a directory, and what was left out because a skill may not contain it."""

    files: dict[str, FileBody]
    left_out: tuple[str, ...] = ()


def unsafe_path(path: str) -> str | None:
    """Why `path` may not name a file inside a skill directory, or None when it may."""
    if not path or path != path.strip():
        return "empty or padded path"
    if "\\" in path or "\x00" in path or ":" in path:
        return "backslash, colon or NUL in path"
    if any(ord(char) < 32 for char in path):
        return "control character in path"
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "a name that is not UTF-8"
    if path.startswith("/") or PurePosixPath(path).is_absolute():
        return "absolute path"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "path leaves the directory or is not normalised"
    return None


def _files_below(root: Path) -> Iterator[Path]:
    for entry in sorted(root.iterdir(), key=lambda item: item.name):
        if entry.name in LOCAL_NAMES:
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files_below(entry)
        else:
            yield entry


def read_tree(root: Path) -> TreeRead:
    """Every regular file below `root`. Symbolic links and special files are left out and named.

    Raises OSError when a file cannot be read.
    """
    files: dict[str, FileBody] = {}
    left_out: list[str] = []
    for entry in _files_below(root):
        relative = entry.relative_to(root).as_posix()
        reason = _unfit(entry, relative)
        if reason is not None:
            shown = relative if relative.isprintable() else repr(relative)
            left_out.append(f"{shown}: {reason}, not carried into the skill")
        else:
            files[relative] = FileBody(entry.read_bytes(), bool(entry.stat().st_mode & 0o100))
    return TreeRead(files, tuple(left_out))


def strangers_in(root: Path) -> list[str]:
    """Relative paths of what lies in a directory and cannot be part of a skill: `read_tree` leaves it out."""
    below = ((entry, entry.relative_to(root).as_posix()) for entry in _files_below(root))
    return [relative for entry, relative in below if _unfit(entry, relative) is not None]


def _unfit(entry: Path, relative: str) -> str | None:
    if entry.is_symlink() or not entry.is_file():
        return "a link or special file"
    return unsafe_path(relative)


def write_tree(root: Path, tree: SkillTree) -> None:
    """Write `tree` into the new directory `root` and flush it to disk.

    Raises FileExistsError when `root` exists, ValueError for a path that would leave it.
    """
    for path in tree:
        if (reason := unsafe_path(path)) is not None:
            raise ValueError(f"{path!r} cannot be written into a skill: {reason}")
    root.mkdir(parents=True)
    folders = {root}
    for path, body in sorted(tree.items()):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        folders.add(target.parent)
        with target.open("wb") as handle:
            handle.write(body.data)
            handle.flush()
            os.fsync(handle.fileno())
        if body.executable:
            target.chmod(0o755)
    for folder in folders:
        sync_directory(folder)


def sync_directory(folder: Path) -> None:
    """Flush a directory's entries, so that a rename in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def without_version(path: str, data: bytes) -> bytes:
    """The bytes of a file with the skill's own version blanked: what the version is a hash of."""
    if path == SKILL_FILE:
        head, fence, body = _split_frontmatter(data)
        return _VERSION_IN_FRONTMATTER.sub(rb"\g<1>" + NO_VERSION.encode() + rb"\g<2>", head) + fence + body
    if path == LINEAGE_FILE:
        return _VERSION_IN_LINEAGE.sub(rb"\g<1>" + NO_VERSION.encode() + rb"\g<2>", data)
    return data


def with_version(tree: SkillTree, version: str) -> dict[str, FileBody]:
    """The same files with `version` in the places that carry it."""
    stamped = dict(tree)
    for path in (SKILL_FILE, LINEAGE_FILE):
        if path in tree:
            body = without_version(path, tree[path].data)
            blank, mine = NO_VERSION.encode(), version.encode()
            if path == SKILL_FILE:
                head, fence, rest = _split_frontmatter(body)
                body = _VERSION_IN_FRONTMATTER.sub(rb"\g<1>" + mine + rb"\g<2>", head) + fence + rest
            else:
                body = body.replace(b'"version":"' + blank, b'"version":"' + mine, 1)
            stamped[path] = FileBody(body, tree[path].executable)
    return stamped


def _split_frontmatter(data: bytes) -> tuple[bytes, bytes, bytes]:
    if not data.startswith(b"---"):
        return b"", b"", data
    return data.partition(b"\n---")


def content_hash(tree: SkillTree) -> str:
    """12 hex digits over names, bytes and execute bits; times and the version itself play no part."""
    digest = hashlib.sha256()
    for path, body in sorted(tree.items()):
        data = without_version(path, body.data)
        digest.update(f"{path}\x00{int(body.executable)}\x00{len(data)}\x00".encode())
        digest.update(data)
    return digest.hexdigest()[:12]
