"""Words of files on a terminal: shown, never obeyed."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from t2s_pipeline.commands.plain import Console, plainly
from t2s_pipeline_tests.traces.samples import chat, write_lines

HOSTILE = "\x1b]0;renamed\x07\x1b[2J\x9b31m\u202egnp.exe"
"""Renames the window, clears the screen, turns the colour and the direction of writing."""
COMMANDS = ("\x1b]0;", "\x07", "\x1b[2J", "\x9b", "\u202e")


def test_no_way_to_print_lets_a_command_through() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200)
    table = Table("name")
    table.add_row(escape(HOSTILE))

    plainly(console)(HOSTILE)
    console.print(table)
    console.print(Text(HOSTILE, style="red"))
    console.print(f"[bold]{escape(HOSTILE)}[/bold]\ttab\nline", highlight=False)

    written = out.getvalue()
    assert not any(command in written for command in COMMANDS)
    assert written.count("␛]0;renamed␛[2J�31m") == 4
    assert "tab" in written and "\x1b[1m" in written


def test_the_command_line_shows_what_is_in_a_trace_without_obeying_it(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a\x1b[2J.jsonl", [chat("a", task_id=HOSTILE, agent=HOSTILE)])

    done = subprocess.run(
        [sys.executable, "-m", "t2s_pipeline.cli", "inspect", str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "300", "PYTHONUTF8": "1"},
    )

    assert "␛]0;renamed" in done.stdout
    assert not any(command in done.stdout for command in COMMANDS)
