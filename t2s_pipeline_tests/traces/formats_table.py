"""The README's table of formats, computed from the sample files: what each importer recovers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.report import FileReport, inspect_file, list_formats
from t2s_pipeline_tests.traces.format_samples import SAMPLES

COLUMNS = ("steps", "tool calls", "outcome", "reward", "tokens", "cost", "sub-agents")


def formats_table() -> str:
    """A Markdown table: format × what is recovered from its sample."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            (
                f"{one.title} (`{one.name}`)",
                _recovered(inspect_file(SAMPLES[one.name](Path(folder) / one.name), Settings())),
            )
            for one in list_formats()
        ]
    lines = [
        f"| format | {' | '.join(COLUMNS)} |",
        f"|---|{':-:|' * len(COLUMNS)}",
        *(f"| {title} | {' | '.join('✓' if found else '–' for found in marks)} |" for title, marks in rows),
    ]
    return "\n".join(lines) + "\n"


def _recovered(report: FileReport) -> tuple[bool, ...]:
    return (
        report.steps > 0,
        report.calls > 0,
        set(report.outcomes) != {"unknown"},
        report.rewards > 0,
        report.input_tokens is not None,
        report.cost_usd is not None,
        report.subagents > 0,
    )
