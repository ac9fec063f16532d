"""The agent's desk: a workbook in an empty folder, and tools that really work on it."""

from __future__ import annotations

import contextlib
import io
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

from openpyxl import load_workbook

from t2s_pipeline_tests.samples.attempt import Reply

FILE = "book.xlsx"
CELL = "<cell>"
SHOWN_CHARACTERS = 1500
"""Output of a call that is shown to the agent."""


class Desk:
    """One attempt's folder. Every `run_python` starts from the file: nothing stays in memory."""

    def __init__(self, folder: Path, original: bytes) -> None:
        self.folder, self._original = folder, original
        self.reset()

    @property
    def path(self) -> Path:
        return self.folder / FILE

    def reset(self) -> None:
        """Put the original workbook back."""
        self.path.write_bytes(self._original)

    def call(self, tool: str, arguments: dict[str, str]) -> Reply:
        """Run one of the tools."""
        match tool:
            case "inspect_workbook":
                return self._inspect()
            case "read_rows":
                return self._read_rows(arguments)
            case "run_python":
                return self._run(arguments["code"])
            case "reset_workbook":
                self.reset()
                return Reply(f"{FILE} is back to its original state.")
            case "submit":
                return Reply("Submitted.")
        raise ValueError(f"no such tool: {tool}")

    def _inspect(self) -> Reply:
        lines = []
        for sheet in load_workbook(self.path).worksheets:
            merged = ", ".join(sorted(str(area) for area in sheet.merged_cells.ranges))
            lines.append(f"{sheet.title!r}: {sheet.dimensions}" + (f", merged {merged}" if merged else ""))
        return Reply("\n".join(lines))

    def _read_rows(self, arguments: dict[str, str]) -> Reply:
        first, last = int(arguments["first_row"]), int(arguments["last_row"])
        workbook = load_workbook(self.path)
        if arguments["sheet"] not in workbook.sheetnames:
            return Reply(f"Error: no sheet named {arguments['sheet']!r}", ok=False)
        sheet = workbook[arguments["sheet"]]
        rows = sheet.iter_rows(first, min(last, sheet.max_row), values_only=True)
        lines = [
            f"{number}: " + " | ".join("" if value is None else str(value) for value in row)
            for number, row in enumerate(rows, first)
        ]
        return Reply("\n".join(lines))

    def _run(self, code: str) -> Reply:
        output = io.StringIO()
        try:
            with _inside(self.folder), contextlib.redirect_stdout(output):
                exec(compile(code, CELL, "exec"), {"__name__": "__main__"})
        except Exception as error:  # noqa: BLE001  whatever the agent's code raises is the tool's answer
            return Reply(_cut(output.getvalue() + _trimmed(error, code)), ok=False)
        return Reply(_cut(output.getvalue()) or "(no output)")


def _trimmed(error: Exception, code: str) -> str:
    """The traceback without the frames of libraries and of this tool."""
    lines = ["Traceback (most recent call last):"]
    source = code.splitlines()
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == CELL and frame.lineno:
            lines.append(f'  File "{CELL}", line {frame.lineno}, in {frame.name}')
            lines.append(f"    {source[frame.lineno - 1].strip()}")
    return "\n".join([*lines, f"{type(error).__name__}: {error}"])


def _cut(text: str) -> str:
    text = text.rstrip("\n")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}\n[output cut]"


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
