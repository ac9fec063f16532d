"""What the three agents say between calls. Each has its own way of talking, and often says nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from t2s_pipeline_tests.samples.draw import happens, pick

SPEECH: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
"""Agent → situation → what may be said."""

SILENT = {"atlas-large": 0.12, "pico-mini": 0.4, "orbit-react": 0.0}
"""How often an agent calls a tool without saying why."""

ALWAYS_SAID = ("closing", "giving up")


def say(agent: str, situation: str, *name: object, **values: str) -> str:
    """The words of this agent in this situation; `name` is what makes the choice its own."""
    if situation not in ALWAYS_SAID and happens(SILENT[agent], "silent", agent, situation, *name):
        return ""
    return pick(SPEECH[agent][situation], "say", agent, situation, *name).format(**values)
