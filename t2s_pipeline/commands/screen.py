"""What a person sees: progress while work goes on, tables at the end. Everything goes to standard error
or, for results, to standard output; nothing here decides anything.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from t2s_pipeline.commands.inspecting import Formats, Inspection
from t2s_pipeline.commands.plain import plainly, short_path
from t2s_pipeline.commands.running import RunSummary
from t2s_pipeline.commands.status import LeftToDo, Status
from t2s_pipeline.environment import from_environment
from t2s_pipeline.pipeline import Advance, Pipeline
from t2s_pipeline.settings import DataPaths, Settings

if TYPE_CHECKING:
    from t2s_pipeline.commands.planning import RunPlan

_STAGES = {"traces": "reading traces", "lessons": "learning lessons"}

_SETBACKS = 10
"""Quarantined records listed by `t2s status`."""

_DIGITS = 8
"""Digits of a version that `t2s status` shows; commands take as many."""

_REASONS = 5
"""Reasons listed for traces that were not analysed, or lessons that were refused."""


class ScreenDisplay:
    """Progress bars on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def reading(self, pipeline: Pipeline, traces: int) -> Iterator[Pipeline]:
        """A bar per stage, over that many traces."""
        columns = (
            TextColumn("{task.description:>17}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            tasks = {stage: progress.add_task(words, total=traces) for stage, words in _STAGES.items()}

            def progress_of(stage: str) -> Advance:
                return lambda done: progress.advance(tasks[stage], done)

            yield replace(pipeline, progress=progress_of)
            _complete(progress, tasks["lessons"])

    @contextmanager
    def consolidating(self, skill: str) -> Iterator[None]:
        """A spinner while a skill is consolidated."""
        with self._console.status(f"consolidating [bold]{escape(skill)}[/bold]"):
            yield


def _complete(progress: Progress, task: TaskID) -> None:
    """Fill a bar: traces that turned out unreadable or known never reach the later stages."""
    progress.update(task, total=progress.tasks[task].completed)


def show_run(console: Console, summary: RunSummary, paths: DataPaths) -> None:
    """The table at the end of a run and what to type next."""
    if summary.nothing_new and not (summary.traces or summary.quarantined):
        console.print(_empty_inbox(paths))
        return
    if summary.nothing_new:
        console.print("Nothing new: every trace in the inbox is in the skills below.")
    show_left(console, summary.again, "Done again")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="green")
    for words, number, new in (
        ("traces read", summary.traces, summary.new_traces),
        ("quarantined", summary.quarantined, summary.new_quarantined),
        ("lessons", summary.lessons, 0),
        ("clusters", summary.clusters, 0),
        ("rules", sum(skill.rules for skill in summary.skills), 0),
    ):
        table.add_row(words, f"{number:,}", f"{new:,} new" if new else "")
    for words, number in (
        ("traces held", summary.held),
        ("lessons refused", summary.refused),
        ("traces not analysed", summary.not_analysed),
        ("rules without the model's words", summary.unworded),
        ("model calls paid for", summary.model_calls),
    ):
        if number:
            table.add_row(words, f"{number:,}", "")
    if summary.model_calls:
        dollars = "unknown" if summary.cost_usd is None else f"${summary.cost_usd:,.4f}"
        table.add_row("their cost", dollars, f"{summary.model_tokens:,} tokens")
    console.print(table)
    if summary.skills:
        console.print()
        console.print(_skills_table(summary))
        if summary.updated:
            console.print(f"Updated: [green]{escape(', '.join(summary.updated))}[/green]")
        say = plainly(console)
        for skill in summary.skills:
            if not skill.rules:
                say(f"{skill.name}: no finding has enough support for a rule yet ({_t2s(paths, 'status')}).")
        first = next((one for one in summary.skills if one.name in summary.updated), summary.skills[0])
        skill_file = f"{short_path(first.path)}/SKILL.md"
        say("\nNext:")
        say(f"  read it            less {skill_file}")
        say(f"  why is a line in?  {_t2s(paths, 'explain')} {skill_file}:LINE")
        say(f"  see the graph      {_t2s(paths, 'ui')}")


def show_status(console: Console, status: Status) -> None:
    """One line per skill, and the latest things that could not be read."""
    if not status.skills:
        console.print(f"Nothing has been read yet in {status.data}. `t2s run` reads the inbox.")
        return
    table = Table(box=None, pad_edge=False)
    # On a narrow terminal the names of skills take several lines; numbers are never cut.
    table.add_column("skill", overflow="fold")
    for column in ("traces", "ok", "failed", "aside", "lessons", "rules"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("version", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for skill in status.skills:
        counts = (skill.traces, skill.success, skill.failure, skill.quarantined, skill.lessons, skill.rules)
        state = "up to date" if skill.up_to_date else "[yellow]behind[/yellow]"
        table.add_row(
            escape(skill.name), *(f"{count:,}" for count in counts), (skill.version or "-")[:_DIGITS], state
        )
    console.print(table)
    if not all(skill.up_to_date for skill in status.skills):
        console.print("\n`t2s run` brings a skill that is behind up to date.")
        show_left(console, status.left, "Left to do")
    _show_waiting_for_model(console, status)
    _show_not_analysed(console, status)
    _show_refused(console, status)
    if status.quarantine:
        console.print(f"\nCould not be read ({len(status.quarantine):,}):")
        for setback in status.quarantine[:_SETBACKS]:
            console.print(f"  {setback.where}: {setback.reason}", markup=False, highlight=False)
        if len(status.quarantine) > _SETBACKS:
            console.print("  … all of them: t2s status --json")


def show_left(console: Console, left: Sequence[LeftToDo], title: str) -> None:
    """Batches by skill and reason."""
    say = plainly(console)
    for one in left:
        say(f"{title}: {_of(one.batches, 'batch', 'batches')} of {one.skill}: {one.reason}")


def show_setbacks(console: Console, reasons: Mapping[str, int]) -> None:
    """The most frequent reasons why traces could not be analysed."""
    say = plainly(console)
    for reason, traces in list(reasons.items())[:_REASONS]:
        say(f"  {_of(traces, 'trace', 'traces')}: {reason}")
    if len(reasons) > _REASONS:
        say("  … all of them: t2s status --json")


def _show_waiting_for_model(console: Console, status: Status) -> None:
    say = plainly(console)
    for skill in status.skills:
        if skill.waiting_for_model:
            batches = _of(skill.waiting_for_model, "batch", "batches")
            say(f"\n{skill.name}: a model has not read {batches} yet; `t2s run --engine llm` changes that.")


def _show_not_analysed(console: Console, status: Status) -> None:
    say = plainly(console)
    traces = [one for one in status.not_analysed if one.where]
    if traces:
        again = any(one.analyst != "statistical" for one in traces)
        hint = "; `t2s run --engine llm` asks again" if again else ""
        say(f"\nCould not be analysed ({_of(len({one.where for one in traces}), 'trace', 'traces')}{hint}):")
        show_setbacks(console, dict(Counter(one.reason for one in traces).most_common()))
    words = Counter(one.reason for one in status.not_analysed if not one.where)
    if words:
        say(f"\nRules and comparisons without the model's words ({words.total():,}); code decides there:")
        for reason, count in words.most_common(_REASONS):
            say(f"  {count:,}: {reason}")


def _show_refused(console: Console, status: Status) -> None:
    if not status.refused:
        return
    say = plainly(console)
    say(f"\nLessons refused ({len(status.refused):,}):")
    for reason, count in Counter(one.reason for one in status.refused).most_common(_REASONS):
        say(f"  {count:,}: {reason}")
    say("  each with its text: t2s status --json")


def _of(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def show_inspection(console: Console, inspection: Inspection) -> None:
    """What a file holds and what is wrong with it."""
    say = plainly(console)
    kinds = ", ".join(f"{count:,} {name}" for name, count in inspection.formats.items()) or "no traces"
    say(f"{inspection.file}: {kinds}")
    if inspection.traces:
        outcomes = ", ".join(f"{count:,} {status}" for status, count in sorted(inspection.outcomes.items()))
        say(f"{inspection.tasks:,} tasks; outcomes: {outcomes}")
        say(f"{inspection.steps:,} steps, {inspection.calls:,} calls{_spent(inspection)}\n")
        table = Table(box=None, pad_edge=False)
        for column in ("where", "task", "trial", "agent", "outcome", "steps", "calls"):
            table.add_column(column, justify="right" if column in ("steps", "calls") else "left")
        for trace in inspection.first_traces:
            cells = (trace.where, trace.task_id or "-", trace.trial or "-", trace.agent, trace.outcome)
            table.add_row(*map(escape, cells), str(trace.steps), str(trace.calls))
        console.print(table)
        if inspection.traces > len(inspection.first_traces):
            say(f"… and {inspection.traces - len(inspection.first_traces):,} more")
    if inspection.warnings:
        say("\nWarnings:")
    for warning, traces in inspection.warnings.items():
        say(f"  {_of(traces, 'trace', 'traces')}: {warning}")
    if inspection.quarantined:
        say(f"\nWould be set aside ({inspection.quarantined:,}):")
        for place in inspection.first_quarantined:
            say(f"  {place.where}: {place.reason}")


def _spent(inspection: Inspection) -> str:
    """What the traces say they took; nothing where they do not say."""
    tokens, dollars = (inspection.input_tokens, inspection.output_tokens), inspection.cost_usd
    told = "" if tokens == (None, None) else f", {tokens[0] or 0:,} tokens in, {tokens[1] or 0:,} out"
    return told + ("" if dollars is None else f", ${dollars:,.4f}")


def show_formats(console: Console, formats: Formats) -> None:
    """One line per format."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in formats.formats:
        table.add_row(one.name, escape(one.title))
    console.print(table)


def _skills_table(summary: RunSummary) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("skill", "rules", "version", "where"):
        table.add_column(column, justify="right" if column == "rules" else "left", no_wrap=True)
    for skill in summary.skills:
        table.add_row(escape(skill.name), str(skill.rules), skill.version, escape(short_path(skill.path)))
    return table


def _empty_inbox(paths: DataPaths) -> str:
    return (
        f"The inbox is empty. Put trace files of your agents into {short_path(str(paths.inbox))}/SKILL/, one "
        f"folder per skill to be learnt, and run this again. `{_t2s(paths, 'formats')}` lists what can be "
        "read."
    )


def _t2s(paths: DataPaths, command: str) -> str:
    """How a person calls a command from here; the UI has to be told of a data root that is not usual."""
    called = Path(sys.argv[0]).absolute()
    program = short_path(str(called)) if called.name == "t2s" and not shutil.which("t2s") else "t2s"
    usual = DataPaths(from_environment(Settings).data).root == paths.root
    root = "" if usual or command != "ui" else f" --data {short_path(str(paths.root))}"
    return f"{program} {command}{root}"


def show_plan(console: Console, planned: RunPlan) -> None:
    """What a run with the llm engine would take."""
    plan = planned.plan
    if not plan.traces:
        console.print("Nothing to ask: every trace in the inbox has been read by these analysts.")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column()
    dollars = "unknown" if plan.usd is None else f"${plan.usd:,.2f}"
    calls = ", ".join(f"{count:,} {purpose}" for purpose, count in plan.calls_by_purpose.items())
    for words, value, more in (
        ("traces to read", f"{plan.traces:,}", f"{plan.skipped + planned.held:,} left out"),
        ("model", plan.model, ""),
        ("calls", f"{plan.calls:,}", calls),
        ("tokens sent", f"{plan.input_tokens:,}", f"of {plan.trace_tokens:,} in the traces"),
        ("tokens back", f"{plan.output_tokens:,}", ""),
        ("cost", dollars, "replies that are already stored cost nothing"),
    ):
        table.add_row(words, value, escape(more))
    console.print(table)
