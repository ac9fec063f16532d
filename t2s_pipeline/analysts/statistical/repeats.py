"""Calls that repeat for nothing: the same call with the same result, again.

Only repeats with nothing in between count, or with nothing in between but other repeats: a call made
again after something else was done may be a check, and is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from t2s_pipeline.analysts.lesson import Evidence, Lesson, Signature
from t2s_pipeline.analysts.statistical.changes import changes_between
from t2s_pipeline.analysts.statistical.quotes import call_quote
from t2s_pipeline.analysts.statistical.repeat_text import repeat_text
from t2s_pipeline.analysts.statistical.runs import Call, Run

WAITING = frozenset(("wait", "sleep", "poll", "think", "status"))
"""Words in a tool's name that make repeating it the point of the tool."""


@dataclass(frozen=True)
class Repeat:
    """A stretch of identical calls with identical results."""

    calls: tuple[Call, ...]
    """All of them, the first one included."""
    next: Call | None
    """The next different call of the same tool."""


def find_repeats(run: Run) -> list[Repeat]:
    """Stretches of two or more identical neighbouring calls whose result was the same, in order."""
    found: list[Repeat] = []
    start = 0
    calls = run.calls
    while start < len(calls):
        end = start + 1
        while end < len(calls) and _same(calls[start], calls[end]):
            end += 1
        if end - start > 1 and not any(word in calls[start].tool.lower() for word in WAITING):
            after = next((call for call in calls[end:] if call.tool == calls[start].tool), None)
            found.append(Repeat(calls[start:end], after))
        start = end
    return found


def mine_repeats(run: Run) -> list[Lesson]:
    """One lesson per tool for failed calls sent again, one for answers asked for again."""
    groups: dict[tuple[str, bool], list[Repeat]] = {}
    for repeat in find_repeats(run):
        first = repeat.calls[0]
        groups.setdefault((first.subject, first.error is not None), []).append(repeat)
    lessons = (_lesson(run, *key, repeats) for key, repeats in groups.items())
    return [lesson for lesson in lessons if lesson is not None]


def _same(first: Call, second: Call) -> bool:
    return first.key == second.key and first.result == second.result


def _lesson(run: Run, tool: str, failed: bool, repeats: list[Repeat]) -> Lesson | None:
    worst = max(repeats, key=lambda repeat: len(repeat.calls))
    first, last = worst.calls[0], worst.calls[-1]
    quote = call_quote(last)
    if quote is None:
        return None  # nothing to show for it
    changed = changes_between(first, worst.next, run) if worst.next is not None else ()
    facts = {
        "count": sum(len(repeat.calls) - 1 for repeat in repeats),
        "kind": first.action.kind,
        "failed": failed,
        "recovered": worst.next is not None and run.outcome == "success",
        "outcome": run.outcome,
        "changes": [change.as_fact() for change in changed],
        "tokens": sum(call.tokens for repeat in repeats for call in repeat.calls[1:]),
    }
    trigger = "it failed" if failed else "it gave the same result"
    return Lesson(
        skill=run.skill,
        kind="prune",
        engine="statistical",
        analyst="repeat",
        trace_id=run.trace_id,
        task_id=run.task_id,
        outcome=run.outcome,
        when=f"a call of `{tool}` " + ("failed" if failed else "gave a result that is not enough"),
        do=repeat_text(tool, [facts]).headline,
        because=f"it was sent {len(worst.calls)} times and answered the same each time",
        section="cost",
        signature=Signature(pattern="repeat", tool=tool, trigger=trigger, action="repeat it", negated=True),
        facts=facts,
        evidence=(
            Evidence(
                trace_id=run.trace_id,
                first_step=first.step_id,
                last_step=last.step_id,
                quote=quote,
            ),
        ),
    )
