"""What `make` promises beyond running commands."""

import shutil
import subprocess
from pathlib import Path

import pytest

from t2s_pipeline.settings import DataPaths
from t2s_pipeline.traces.redaction.fingerprints import SALT_BYTES
from t2s_pipeline_tests.skills.builders import Room, airline

MAKEFILE = Path(__file__).parents[1] / "Makefile"
SKILL = "airline-service-desk"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def test_clean_leaves_what_no_run_can_make_again(tmp_path: Path) -> None:
    """Above all what a person did: edits, deleted rules, forgotten and released traces."""
    paths = DataPaths(tmp_path / "data")
    room = Room(paths.root)
    room.learn(SKILL, airline())
    room.publish(SKILL)
    page = room.skill(SKILL) / "SKILL.md"
    deleted = next(line for line in page.read_text().splitlines() if "one-stop" in line)
    page.write_text(page.read_text().replace(deleted + "\n", "- My own rule.\n"))
    for file in (paths.inbox / "a.jsonl", paths.base / "b.md", paths.cache / "c", paths.dagster / "d"):
        file.parent.mkdir(parents=True)
        file.write_text("x")
    for file in (paths.forgotten, paths.released):
        file.touch()
    paths.salt.write_bytes(bytes(SALT_BYTES))

    subprocess.run(["make", "-f", str(MAKEFILE), "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {path.name for path in paths.root.iterdir() if not path.name.startswith(".")}
    room.learn(SKILL, airline())
    report = room.publish(SKILL)

    assert left == {
        "inbox",
        "base",
        "skills",
        "versions",
        "forgotten.jsonl",
        "released.jsonl",
        "redaction.salt",
    }
    assert "- My own rule." in page.read_text()
    assert "one-stop" not in page.read_text().partition("---")[2]
    assert report.withheld == 1
