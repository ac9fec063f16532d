"""What is printed, on terminals as narrow as they come."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from t2s_pipeline.commands.running import RunSummary
from t2s_pipeline.commands.screen import show_run, show_status
from t2s_pipeline.commands.status import LeftToDo, NotAnalysed, NotBelieved, SkillStatus, Status
from t2s_pipeline.settings import DataPaths


def printed(show, *shown, width: int = 80) -> str:
    text = io.StringIO()
    show(Console(file=text, width=width), *shown)
    return text.getvalue()


COUNTS = (
    "rules traces tasks success failure partial error unknown quarantined lessons clusters refused"
    " not_analysed waiting waiting_for_model"
)


def skill(name: str, *, up_to_date: bool = True, **counts: int) -> SkillStatus:
    fields = dict.fromkeys(COUNTS.split(), 0) | counts
    return SkillStatus(name=name, path=None, version="0123456789ab", up_to_date=up_to_date, **fields)


def status_of(*skills: SkillStatus, **lists: list[object]) -> Status:
    names = ("left", "quarantine", "not_analysed", "refused", "held")
    empty: dict[str, object] = {name: [] for name in names}
    return Status.model_validate({"data": "data", "skills": skills, **empty, **lists})


LONG = "a-name-as-long-as-the-specification-allows-and-not-a-letter-more"


@pytest.mark.parametrize("name", ["sql", "spreadsheet-editing", LONG])
def test_the_status_fits_a_terminal_of_80_columns(name: str) -> None:
    counts = {"traces": 12_345, "success": 9_999, "failure": 2_345, "lessons": 45_678, "rules": 123}

    text = printed(show_status, status_of(skill(name, **counts), skill("b", up_to_date=False)))

    assert "…" not in text
    for shown in ("12,345", "9,999", "2,345", "45,678", "123", "01234567", "up to date", "behind"):
        assert shown in text


def test_the_status_says_why_something_is_left_and_what_became_of_the_rest() -> None:
    where = "inbox/a/t.jsonl#L1"
    shown = status_of(
        skill("a", up_to_date=False, waiting_for_model=2),
        left=[LeftToDo(skill="a", batches=1, reason="not read so far")],
        not_analysed=[
            NotAnalysed(skill="a", where=where, analyst="error", reason="nobody answered"),
            NotAnalysed(skill="a", where="", analyst="merge", reason="no object"),
        ],
        refused=[NotBelieved(skill="a", where=where, analyst="error", reason="no quote", text="Do it.")],
    )

    text = printed(show_status, shown)

    assert "Left to do: 1 batch of a: not read so far" in text
    assert "a: a model has not read 2 batches yet" in text
    assert (
        "Could not be analysed (1 trace; `t2s run --engine llm` asks again):\n  1 trace: nobody answered"
        in text
    )
    assert "without the model's words (1); code decides there:\n  1: no object" in text
    assert "Lessons refused (1):\n  1: no quote" in text


def test_a_run_shows_what_was_not_analysed_refused_and_paid(tmp_path) -> None:
    summary = RunSummary(
        traces=5,
        new_traces=5,
        quarantined=0,
        new_quarantined=0,
        held=0,
        lessons=7,
        clusters=3,
        skills=[],
        updated=[],
        again=[LeftToDo(skill="a", batches=2, reason="not read by the model so far")],
        not_analysed=4,
        reasons={"nobody answered": 4},
        refused=3,
        unworded=2,
        model_calls=9,
        model_tokens=12_000,
        cost_usd=0.0125,
        failures=[],
    )

    text = printed(show_run, summary, DataPaths(tmp_path))

    assert "Done again: 2 batches of a: not read by the model so far" in text
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert {
        "traces not analysed 4",
        "lessons refused 3",
        "rules without the model's words 2",
        "model calls paid for 9",
        "their cost $0.0125 12,000 tokens",
    } <= rows
