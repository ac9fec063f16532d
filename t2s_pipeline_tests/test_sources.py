"""Versions of sources."""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline.sources import source_version


def test_rules_in_files_that_are_no_code_count_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("one = 1\n")
    (tmp_path / "rules.toml").write_text("a = 1\n")
    (tmp_path / "aside.py").write_text("two = 2\n")

    def versions() -> tuple[str, str, str]:
        return (
            source_version([tmp_path]),
            source_version([tmp_path], (".py", ".toml")),
            source_version([tmp_path], without={"aside.py"}),
        )

    before = versions()
    (tmp_path / "rules.toml").write_text("a = 2\n")
    with_rules = versions()
    (tmp_path / "aside.py").write_text("two = 3\n")
    with_aside = versions()

    assert [one == other for one, other in zip(before, with_rules, strict=True)] == [True, False, True]
    assert [one == other for one, other in zip(with_rules, with_aside, strict=True)] == [False, False, True]
