"""Programs beside this one: what they print, what happens when they die or are not needed any more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import BaseModel

from t2s_pipeline.programs import answers_of_programs


class Order(BaseModel):
    name: str


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The source of a module `program` that can be run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "program.py"


def test_every_line_of_every_program_comes(program: Path) -> None:
    program.write_text(
        "import json, sys\nname = json.load(sys.stdin)['name']\nprint(name, 1)\nprint(name, 2)\n"
    )

    lines = list(answers_of_programs("program", [Order(name="a"), Order(name="b")]))

    assert sorted(lines) == [b"a 1\n", b"a 2\n", b"b 1\n", b"b 2\n"]
    assert lines.index(b"a 1\n") < lines.index(b"a 2\n")


def test_a_program_that_dies_without_reading_its_order_gives_no_lines(program: Path) -> None:
    program.write_text("raise SystemExit(1)\n")

    assert list(answers_of_programs("program", [Order(name="x" * 1_000_000)])) == []


def test_programs_are_stopped_when_nobody_asks_any_more(program: Path, tmp_path: Path) -> None:
    program.write_text(
        "import pathlib, sys, time\n"
        "print('first', flush=True)\n"
        "time.sleep(0.5)\n"
        f"pathlib.Path({str(tmp_path)!r}, 'ran to the end').touch()\n"
    )
    answers = answers_of_programs("program", [Order(name="a")])

    assert next(answers) == b"first\n"
    answers.close()  # type: ignore[attr-defined]

    time.sleep(1)
    assert not (tmp_path / "ran to the end").exists()
