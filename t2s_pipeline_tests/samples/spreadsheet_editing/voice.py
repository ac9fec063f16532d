"""What the workbook agents say between calls."""

from __future__ import annotations

import tomllib
from pathlib import Path

from t2s_pipeline_tests.samples.draw import happens, pick

SPEECH: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
"""Agent → situation → what may be said."""

SILENT = {"meridian-pro": 0.10, "dash-lite": 0.35, "cobalt-7b": 0.15}


def say(agent: str, situation: str, *name: object, **values: str) -> str:
    """The words of this agent in this situation; `name` is what makes the choice its own."""
    if situation != "closing" and happens(SILENT[agent], "silent", agent, situation, *name):
        return ""
    text = pick(SPEECH[agent][situation], "say", agent, situation, *name).format(**values)
    return text[:1].upper() + text[1:] if agent != "dash-lite" else text
