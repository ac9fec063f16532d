"""What a person sees of the commands about one skill: its lines, its versions, what rests on a trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from t2s_pipeline.commands.plain import plainly, short_path

if TYPE_CHECKING:  # what is shown is made elsewhere: showing an explanation must not wait for a database
    from t2s_pipeline.commands.exporting import Checked, Exported
    from t2s_pipeline.commands.history import RolledBack, SkillLog
    from t2s_pipeline.commands.impact import Impact, Taught
    from t2s_pipeline.skills.history import RuleChange, SkillDiff
    from t2s_pipeline.skills.lineage import Explanation

_MADE_BY = {"generated": "pipeline", "merged": "pipeline + hand edits", "hand": "hand"}

_DIFF_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))
"""First match counts."""


def show_explanation(console: Console, explanation: Explanation, path: Path) -> None:
    """The line, what stands behind it, and the steps to look at."""
    say = plainly(console)
    if explanation.line is not None:
        say(f"{path}:{explanation.line}")
        say(f"  {explanation.text.strip()}\n")
    say(explanation.note)
    if explanation.rule_id and explanation.support:
        support = explanation.support
        say(f"\nrule {explanation.rule_id} of version {explanation.version or 'unknown'}")
        say(
            f"support: {support.traces} traces of {support.tasks} tasks, {support.success} succeeded and "
            f"{support.failure} failed; seen {support.occurrences} times"
        )
        if support.effect is not None:
            say(
                f"success when followed {support.effect.success_with:.0%}, otherwise "
                f"{support.effect.success_without:.0%} (same tasks)"
            )
        if explanation.generated:
            say(f"as the pipeline would write it: {explanation.generated.strip()}")
    elif explanation.rules:
        for rule in explanation.rules:
            say(f"  {rule.path}:{rule.line}  {rule.text.strip()[:100]}")
    if explanation.evidence:
        say(f"\nevidence ({len(explanation.evidence)} of {explanation.evidence_total} quotes):")
        for quote in explanation.evidence:
            steps = f"steps {quote.first_step}-{quote.last_step}"
            if quote.first_step == quote.last_step:
                steps = f"step {quote.first_step}"
            say(f"  {quote.source_uri}, {steps} ({quote.trace_id})")
            for line in quote.quote.splitlines():
                say(f"    > {line}")


def show_log(console: Console, log: SkillLog) -> None:
    """One line per version, newest first."""
    table = Table(box=None, pad_edge=False)
    for column in ("version", "made (UTC)", "by", "rules", "lessons", "new", "gone", ""):
        right = column in ("rules", "lessons", "new", "gone")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for entry in log.versions:
        record = entry.record
        counts = (record.rules, record.lessons, record.lessons_added, record.lessons_removed)
        table.add_row(
            record.version,
            datetime.fromisoformat(record.created_at).astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
            _MADE_BY[record.origin],
            *(f"{count:,}" for count in counts),
            "[green]in place[/green]" if entry.in_place else "",
        )
    console.print(table)


def show_diff(console: Console, diff: SkillDiff) -> None:
    """How many rules differ, then the unified diff."""
    say = plainly(console)
    if not diff.text:
        say(f"{diff.skill}: no difference between {diff.before} and {diff.after}.")
        return
    say(f"{diff.skill}: {diff.before} → {diff.after}, {_changes(diff.rules)}\n")
    for line in diff.text.splitlines():
        style = next((style for start, style in _DIFF_STYLES if line.startswith(start)), "")
        console.print(Text(line, style=style), soft_wrap=True)


def _changes(rules: Sequence[RuleChange]) -> str:
    """`2 rules added, 1 removed`."""
    kinds = Counter(
        "added" if rule.before is None else "removed" if rule.after is None else "changed" for rule in rules
    )
    said = [f"{kinds[kind]} {kind}" for kind in ("added", "changed", "removed") if kinds[kind]]
    return f"rules: {', '.join(said)}" if said else "the same rules"


def show_rollback(console: Console, done: RolledBack) -> None:
    """What is in place now, and what is not any more."""
    say = plainly(console)
    before = f" instead of {done.instead_of}" if done.instead_of else ""
    say(f"{done.skill} is version {done.version} now{before}: {done.rules} rules in {short_path(done.path)}.")
    say("`t2s run` leaves it in place until there is something new to say.")


def show_export(console: Console, exported: Exported) -> None:
    """Where the skill was written."""
    plainly(console)(f"{exported.skill} was written to {short_path(exported.path)}.")


def show_check(console: Console, checked: Checked) -> None:
    """The problems, one a line, or that there are none."""
    say = plainly(console)
    size = f"{checked.lines} lines, about {checked.tokens:,} tokens"
    for problem in checked.problems:
        say(problem)
    say(f"{short_path(checked.path)}: {_problems(len(checked.problems))} ({size})")


def _problems(number: int) -> str:
    return "valid" if number == 0 else "1 problem" if number == 1 else f"{number} problems"


def show_impact(console: Console, impact: Impact, skills: Path) -> None:
    """The lines of skills that rest on a trace, with the lessons it taught; then what waits."""
    say = plainly(console)
    task = f"task {impact.task_id}, " if impact.task_id else ""
    say(f"{impact.trace_id}: {impact.source_uri}, {task}{impact.outcome}")
    say(f"taught skill {impact.skill} {impact.lessons} lesson{'' if impact.lessons == 1 else 's'}")
    for one in impact.rests:
        rests = "on this trace alone" if one.traces == 1 else f"on {one.traces} traces of {one.tasks} tasks"
        for rule in one.rules:
            say(f"\n{short_path(str(skills / one.skill / rule.path))}:{rule.line}  rests {rests}")
            say(f"  {rule.text.strip()}")
        if not one.rules:
            say(f"\nin no rule ({one.placement}: {one.reason})  rests {rests}\n  {one.advice}")
        _say_lessons(console, one.lessons)
    if impact.waiting:
        say("\nnot consolidated yet; `t2s run` does that")
        _say_lessons(console, impact.waiting)


def _say_lessons(console: Console, lessons: Iterable[Taught]) -> None:
    say = plainly(console)
    for lesson in lessons:
        say(f"  lesson {lesson.lesson_id} ({lesson.kind}): {lesson.when}: {lesson.do}")
        for quote in lesson.quotes:
            steps = f"{quote.first_step}-{quote.last_step}"
            where = f"step {quote.first_step}" if quote.first_step == quote.last_step else f"steps {steps}"
            say(f"    {where}")
            for line in quote.quote.splitlines():
                say(f"      > {line}")
