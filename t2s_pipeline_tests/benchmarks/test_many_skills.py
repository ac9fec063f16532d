"""Skills are made, and whoever objects is heard."""

from pathlib import Path

import pytest

from t2s_pipeline_tests.benchmarks.many_skills import own_objections, publish_many

pytestmark = pytest.mark.slow


def test_generated_skills_pass_and_a_spoilt_one_is_named(tmp_path: Path) -> None:
    names = publish_many(tmp_path, 5)
    folder = tmp_path / "skills"
    before = own_objections(folder)

    (folder / "skill-1" / "SKILL.md").write_text("no frontmatter", encoding="utf-8")

    assert len(names) == len(list(folder.iterdir())) >= 10
    assert before == []
    assert all(line.startswith("skill-1: ") for line in own_objections(folder))
    assert own_objections(folder)
