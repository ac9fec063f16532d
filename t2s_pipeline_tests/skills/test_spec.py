"""What a skill directory must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.skills.document import resolve_link
from t2s_pipeline.skills.spec import check_skill_directory, check_skill_tree
from t2s_pipeline.skills.tree import (
    LINEAGE_FILE,
    SKILL_FILE,
    FileBody,
    content_hash,
    read_tree,
    unsafe_path,
    with_version,
    write_tree,
)

HEAD = "---\nname: desk\ndescription: Serve customers. Use when one calls.\n---\n"


def problems(page: str, **files: str) -> list[str]:
    tree = {path.replace("__", "/") + ".md": FileBody(text.encode()) for path, text in files.items()}
    return check_skill_tree("desk", {SKILL_FILE: FileBody(page.encode()), **tree})


def test_a_plain_skill_is_fine() -> None:
    assert problems(HEAD + "# Desk\n\nSee [a](references/a.md#part).\n", references__a="# A\n") == []


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("# Desk\n", "must start with YAML"),
        ("---\nname: desk\n---\n", "description"),
        ("---\nname: Desk\ndescription: x\n---\n", "lowercase"),
        ("---\nname: other\ndescription: x\n---\n", "must match"),
        ("---\nname: desk\ndescription: x\nmodel: big\n---\n", "Unexpected fields"),
        ("---\nname: desk\ndescription: x\nallowed-tools:\n  - a\n---\n", "allowed-tools"),
        (f"---\nname: desk\ndescription: {'x' * 1025}\n---\n", "1024"),
        ("---\nname: desk\ndescription: {a: b}\n---\n", "Invalid YAML"),
        ("---\nname: desk\ndescription: x\nmetadata: words\n---\n", "metadata"),
        ("\ufeff" + HEAD, "must start with"),
        (HEAD + "x\n" * 500, "500 lines"),
        (HEAD + "word " * 5000, "tokens"),
        (HEAD + "[a](references/none.md)\n", "not in the skill"),
        (HEAD + "[a](../other.md)\n", "not in the skill"),
        (HEAD + "![a](logo.png)\n", "not in the skill"),
    ],
)
def test_what_breaks_the_specification_is_named(page: str, reason: str) -> None:
    assert any(reason in problem for problem in problems(page))


def test_references_are_linked_flat_and_have_contents_when_long() -> None:
    found = problems(HEAD, references__lost="x\n", references__a__deep="x\n", references__long="x\n" * 301)

    assert any("lost.md is not linked" in problem for problem in found)
    assert any("deeper than one level" in problem for problem in found)
    assert any("no section called Contents" in problem for problem in found)


def test_a_description_of_ours_is_held_to_the_shorter_limit() -> None:
    page = f"---\nname: desk\ndescription: {'x' * 351}\n---\n"

    own = check_skill_tree(
        "desk", {SKILL_FILE: FileBody(page.encode()), LINEAGE_FILE: FileBody(b'{"description":"generated"}')}
    )

    assert problems(page) == []
    assert any("ours end at 350" in problem for problem in own)


def test_symbolic_links_are_found_in_a_directory(tmp_path: Path) -> None:
    root = tmp_path / "desk"
    root.mkdir()
    (root / SKILL_FILE).write_text(HEAD)
    (root / "out").symlink_to(tmp_path)

    assert any("a link or special file" in problem for problem in check_skill_directory(root))
    assert check_skill_directory(tmp_path / "none") == [f"{tmp_path / 'none'} is not a directory."]


@pytest.mark.parametrize(
    ("target", "resolved"),
    [
        ("a.md", "references/a.md"),
        ("./a%20b.md?x#y", "references/a b.md"),
        ("../SKILL.md", "SKILL.md"),
        ("../../x", "../x"),
        ("https://w.example/a", None),
        ("#part", None),
        ("mailto:a@b", None),
        ("/etc/passwd", "etc/passwd"),
    ],
)
def test_links_are_resolved_from_the_file_they_stand_in(target: str, resolved: str | None) -> None:
    assert resolve_link("references/here.md", target) == resolved


@pytest.mark.parametrize(
    "path", ["", "..", "a/../b", "/a", "a//b", "./a", "a\\b", "a\x00", "C:x", " a", "a/"]
)
def test_paths_that_could_leave_the_directory_are_unsafe(path: str) -> None:
    assert unsafe_path(path) is not None


def test_a_tree_is_written_as_it_was_read(tmp_path: Path) -> None:
    tree = {SKILL_FILE: FileBody(b"x\r\n"), "scripts/run": FileBody(b"#!", executable=True)}

    write_tree(tmp_path / "one", tree)

    assert read_tree(tmp_path / "one").files == tree
    with pytest.raises(ValueError, match="cannot be written"):
        write_tree(tmp_path / "two", {"../x": FileBody(b"")})


def test_the_content_hash_ignores_the_version_and_nothing_else() -> None:
    page = b'---\nname: x\nmetadata:\n  version: "000000000000"\n---\nversion: "000000000000"\n'
    tree = {SKILL_FILE: FileBody(page)}
    version = content_hash(tree)

    stamped = with_version(tree, version)

    assert stamped[SKILL_FILE].data.count(version.encode()) == 1
    assert content_hash(stamped) == version
    assert content_hash({SKILL_FILE: FileBody(page, executable=True)}) != version
    assert content_hash({SKILL_FILE: FileBody(page + b"x")}) != version
