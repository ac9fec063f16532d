"""Writes the sample traces: `python -m t2s_pipeline_tests.samples.make_samples`.

Needs no network and no clock; run it again after a change and commit what it wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

from t2s_pipeline_tests.samples import spreadsheet_editing, sql_analytics
from t2s_pipeline_tests.samples.attempt import Attempt
from t2s_pipeline_tests.samples.formats import intercode, openai_chat, tau_bench
from t2s_pipeline_tests.samples.planted import planted

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""


def sample_files() -> dict[str, str]:
    """Every file the script writes: path relative to the repository → content."""
    files = sql_files(sql_analytics.attempts()) | sheet_files(spreadsheet_editing.attempts())
    files["t2s_pipeline_tests/samples/planted.json"] = planted()
    return files


def sql_files(attempts: list[Attempt]) -> dict[str, str]:
    """The chat agents' runs by agent, the InterCode agent's runs in its own layout."""
    inbox = f"data/inbox/{sql_analytics.SKILL}"
    files = {
        f"{inbox}/{agent}.jsonl": openai_chat([attempt for attempt in attempts if attempt.agent == agent])
        for agent in ("atlas-large", "pico-mini")
    }
    episodes = [attempt for attempt in attempts if attempt.agent == "orbit-react"]
    files[f"{inbox}/ic_sql_orbit-react.json"] = intercode(episodes, environment="duckdb_sql")
    return files


def sheet_files(attempts: list[Attempt]) -> dict[str, str]:
    """Two agents from a tau-bench harness, one result file each, and one from a chat harness."""
    inbox = f"data/inbox/{spreadsheet_editing.SKILL}"
    by_agent = {
        agent: [attempt for attempt in attempts if attempt.agent == agent]
        for agent in ("meridian-pro", "dash-lite", "cobalt-7b")
    }
    files = {
        f"{inbox}/tool-calling-{agent}-0.0_range_0-30.json": tau_bench(by_agent[agent])
        for agent in ("meridian-pro", "dash-lite")
    }
    files[f"{inbox}/cobalt-7b.jsonl"] = openai_chat(by_agent["cobalt-7b"])
    return files


def write_samples(root: Path) -> list[Path]:
    """Write every sample file under a root; returns the paths written."""
    written = []
    for name, content in sample_files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write_samples(ROOT):
        sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size} bytes\n")
