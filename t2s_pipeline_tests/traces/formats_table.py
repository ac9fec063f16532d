"""The README's table of formats, computed from the sample files: what each importer recovers.

`python -m t2s_pipeline_tests.traces.formats_table` writes it into the README, between its two markers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from t2s_pipeline.commands.inspecting import Inspection, inspect_file, list_formats
from t2s_pipeline.settings import Settings
from t2s_pipeline_tests.traces.format_samples import SAMPLES

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- formats -->", "<!-- /formats -->"
COLUMNS = ("steps", "tool calls", "outcome", "reward", "tokens", "cost", "sub-agents")


def formats_table() -> str:
    """A Markdown table: format × what is recovered from its sample."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            (
                f"{one.title} (`{one.name}`)",
                _recovered(inspect_file(SAMPLES[one.name](Path(folder) / one.name), Settings())),
            )
            for one in list_formats().formats
        ]
    lines = [
        f"| format | {' | '.join(COLUMNS)} |",
        f"|---|{':-:|' * len(COLUMNS)}",
        *(f"| {title} | {' | '.join('✓' if found else '–' for found in marks)} |" for title, marks in rows),
    ]
    return "\n".join(lines) + "\n"


def table_in(text: str) -> str:
    """The table that stands in a README. Raises ValueError when it has not both markers, each once."""
    if (text.count(BEGIN), text.count(END)) != (1, 1):
        raise ValueError(f"the README needs one line {BEGIN} and one line {END}")
    return text.partition(BEGIN + "\n")[2].partition(END)[0]


def with_table(text: str, table: str) -> str:
    """A README with this table between its markers."""
    before, _, rest = text.partition(table_in(text) + END)
    return f"{before}{table}{END}{rest}"


def _recovered(found: Inspection) -> tuple[bool, ...]:
    return (
        found.steps > 0,
        found.calls > 0,
        set(found.outcomes) != {"unknown"},
        found.rewards > 0,
        found.input_tokens is not None,
        found.cost_usd is not None,
        found.subagents > 0,
    )


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8"), formats_table()), encoding="utf-8")
