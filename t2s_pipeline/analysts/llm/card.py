"""What code can tell about a run before anybody reads it: refusals, repeats and where the effort went.

The card goes in front of the view of a trace (the per-trace card of ClawTrace, arXiv 2604.23853).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.statistical.repairs import Repair
from t2s_pipeline.analysts.statistical.runs import Call

COSTLIEST = 6
"""Spans named as the most costly."""
_MOST_LINES = 12
"""Lines about refusals and about repeats, each."""
_MANY_TOOLS = 10


def card(case: Case) -> str:
    """The card as text, a few lines."""
    calls = case.run.calls
    lines = [f"Steps: {len(case.steps)}. Calls: {len(calls)}{_tools(calls)}."]
    lines.extend(_shortened([_refusal(repair) for repair in case.repairs]))
    lines.extend(_shortened(list(_repeats(case))))
    costly = costly_calls(case)
    if costly:
        spans = ", ".join(f"step {call.step_id} {call.tool} ({call.tokens:,} tokens)" for call in costly)
        lines.append(f"Largest calls with their results: {spans}.")
    return "\n".join(lines)


def costly_calls(case: Case) -> list[Call]:
    """The calls that are largest together with their results, in the order of the run."""
    largest = sorted(case.run.calls, key=lambda call: (-call.tokens, call.position))[:COSTLIEST]
    return sorted(largest, key=lambda call: call.position)


def wasted_share(case: Case) -> float:
    """Share of the tokens of all calls that went into repeats which brought nothing new."""
    total = sum(call.tokens for call in case.run.calls)
    wasted = sum(call.tokens for repeat in case.repeats for call in repeat.calls[1:])
    return wasted / total if total else 0.0


def _tools(calls: tuple[Call, ...]) -> str:
    counts = Counter(call.tool for call in calls)
    named = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MANY_TOOLS]
    more = f", {len(counts) - len(named)} more tools" if len(counts) > len(named) else ""
    return " (" + ", ".join(f"{tool} {count}" for tool, count in named) + more + ")" if named else ""


def _refusal(repair: Repair) -> str:
    failed = repair.failed
    assert failed.error is not None
    end = f"; worked in step {repair.worked.step_id}" if repair.worked is not None else ""
    return f"Failed: step {failed.step_id} {failed.tool}: {failed.error.shown}{end}."


def _repeats(case: Case) -> Iterator[str]:
    for repeat in case.repeats:
        first, last = repeat.calls[0], repeat.calls[-1]
        yield (
            f"Repeated: steps {first.step_id} to {last.step_id}, {first.tool} "
            f"{len(repeat.calls)} times with the same result."
        )


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} more of the kind."]
