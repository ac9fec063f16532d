"""Many generated skills, looked at by everything that reads skills.

    python -m t2s_pipeline_tests.benchmarks.many_skills --to DIR [--agnix AGNIX] [--inspect PYTHON]

Skills from hostile clusters, some on top of a base skill, and large ones are published below DIR and checked
by our own checks, of which `skills-ref` is one. `agnix` (the program of the package of that name) and a
Python that has `inspect-ai` are asked too where they are named; the pipeline and its tests need neither, so
they are best installed in an environment of their own. Ends with 1 when one of them objects.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.skills.publish import publish_learnt
from t2s_pipeline.skills.spec import check_skill_directory
from t2s_pipeline_tests.skills.builders import airline, cluster, coding, learnt, sql
from t2s_pipeline_tests.skills.hostile import hostile_clusters
from t2s_pipeline_tests.skills.test_deepen import BASE, SKILL

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVERY_BASE = 4
"""One of so many skills deepens a base skill."""
CLIENTS = {"claude-code": ".claude/skills", "codex": ".agents/skills", "cursor": ".cursor/skills"}
"""Where clients that `agnix` knows look for skills."""
INSPECT = """
import pathlib, sys
from inspect_ai.tool._tools._skill.read import read_skills
for directory in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    (skill,) = read_skills([directory])
    assert skill.name == directory.name, (skill.name, directory)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish, have everybody look, say what they say; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--skills", type=int, default=200)
    parser.add_argument("--agnix", type=Path)
    parser.add_argument("--inspect", type=Path)
    chosen = parser.parse_args(arguments)
    published = publish_many(chosen.to, chosen.skills)
    folder = DataPaths(chosen.to).skills
    objections = {"our checks and skills-ref": own_objections(folder)}
    if chosen.agnix:
        objections |= {
            f"agnix for {client}": found for client, found in agnix(chosen.agnix, chosen.to).items()
        }
    if chosen.inspect:
        objections["inspect-ai"] = inspect(chosen.inspect, folder)
    for who, found in objections.items():
        print(f"{who}: {len(published)} skills, {len(found)} errors")
        for line in found[:20]:
            print(f"  {line}", file=sys.stderr)
    return 1 if any(objections.values()) else 0


def publish_many(root: Path, number: int) -> list[str]:
    """Names of the skills published, at least `number`."""
    names: list[str] = []

    def publish(clusters: Sequence[Cluster], *, base: bool = False) -> None:
        name = f"skill-{len(names)}"
        if base:
            directory = DataPaths(root).base / name
            (directory / "references").mkdir(parents=True, exist_ok=True)
            (directory / "SKILL.md").write_text(BASE.replace(SKILL, name), encoding="utf-8")
            (directory / "references" / "fares.md").write_text("# Fares\n", encoding="utf-8")
        publish_learnt(DataPaths(root), Settings(data=root), learnt(name, clusters), now=NOW)
        names.append(name)

    @seed(1)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile_clusters())
    def from_hostile_clusters(clusters: list[Cluster]) -> None:
        publish(clusters, base=len(names) % EVERY_BASE == 0)

    from_hostile_clusters()
    for clusters in (airline(), sql(), coding()):
        publish(clusters)
    for rules in (40, 400):
        publish(
            [cluster(f"Do thing {n}", "A detail. " * (n % 20), tool=f"tool_{n % 7}") for n in range(rules)]
        )
    return names


def own_objections(folder: Path) -> list[str]:
    """What our checks and `skills-ref` object to."""
    return [
        f"{directory.name}: {problem}"
        for directory in sorted(folder.iterdir())
        for problem in check_skill_directory(directory)
    ]


def agnix(program: Path, root: Path) -> Mapping[str, list[str]]:
    """Errors by client, each given the skills in its own folder."""
    found = {}
    for client, place in CLIENTS.items():
        project = root / "projects" / client
        shutil.copytree(DataPaths(root).skills, project / place)
        done = subprocess.run(
            [program.absolute(), "--format", "json", "--target", client, "."],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        report = json.loads(done.stdout)
        found[client] = [str(one) for one in report["diagnostics"] if one["level"] == "error"]
        found[client] += [] if report["files_checked"] else ["no file was checked"]
    return found


def inspect(python: Path, folder: Path) -> list[str]:
    """The error with which loading them ends."""
    done = subprocess.run([python, "-c", INSPECT, folder], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1:] if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
