"""Refused calls: what was refused, what got through in the end, and what was different about it.

The finding is per tool and error template. A call counts as put right when a later call of the same tool
works and is recognisably the same attempt (ClawTrace's `repair`, arXiv 2604.23853, mined in code).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from t2s_pipeline.analysts.lesson import Evidence, Lesson, Signature
from t2s_pipeline.analysts.statistical.actions import sql
from t2s_pipeline.analysts.statistical.arithmetic import explain_numbers
from t2s_pipeline.analysts.statistical.changes import Change, changes_between
from t2s_pipeline.analysts.statistical.habits import FINISHES
from t2s_pipeline.analysts.statistical.quotes import call_quote
from t2s_pipeline.analysts.statistical.refusal_text import refusal_text
from t2s_pipeline.analysts.statistical.rewrites import Rewrite, rewrites_between
from t2s_pipeline.analysts.statistical.runs import Call, Run

LOOK_AHEAD = 12
"""Calls after a refusal among which its correction is looked for."""
SAME_ATTEMPT = 55.0
"""Similarity (0..100) from which two pieces of code are one attempt and its correction."""
CORRECTIONS = 3
NEARER = 5.0
"""Attempts that worked among which the correction is looked for, and how much nearer (0..100) to the failed
code a later one has to be than the first."""
_SETS_UP = re.compile(
    r"\b(?:install|add|init|mkdir|chmod|touch|start|login|sync|restore|create|source|clone|fetch|pull|build)\b"
)
_MOVES = re.compile(r"^\s*cd \S+\s*(?:&&|;)\s*")
"""How commands begin where every call starts a new shell: no sign of the same attempt."""


@dataclass(frozen=True)
class Repair:
    """A refused call and, where there is one, the call that put it right."""

    failed: Call
    worked: Call | None
    changes: tuple[Change, ...] = ()
    inserted: tuple[str, ...] = ()
    """Actions that came between, when the call then worked unchanged."""
    rewrites: tuple[Rewrite, ...] = ()
    """Pieces of code that were rewritten to get past this error."""
    looked: tuple[str, ...] = ()
    """Other actions that came between and worked, when the call then worked with a change."""


def find_repairs(run: Run) -> list[Repair]:
    """One entry per refused call of the run, in order."""
    return [_repair_of(call, run) for call in run.calls if call.error is not None and not _only_ends(call)]


def mine_repairs(run: Run) -> list[Lesson]:
    """One lesson per tool and error template of the run."""
    groups: dict[tuple[str, str], list[Repair]] = {}
    for repair in find_repairs(run):
        assert repair.failed.error is not None
        groups.setdefault((repair.failed.subject, repair.failed.error.template), []).append(repair)
    return [_lesson(run, tool, template, repairs) for (tool, template), repairs in groups.items()]


def _only_ends(call: Call) -> bool:
    """A call that ends the run and passes nothing: what it answers is about the call before it."""
    return FINISHES.match(call.tool) is not None and not call.arguments


def _repair_of(failed: Call, run: Run) -> Repair:
    later = run.calls[failed.position + 1 : failed.position + 1 + LOOK_AHEAD]
    worked = _correction(
        failed, [call for call in later if call.error is None and _same_attempt(failed, call)]
    )
    if worked is None:
        return Repair(failed, None)
    between = [call for call in later if call.position < worked.position]
    others = [call for call in between if call.error is None and call.action.name != failed.action.name]
    if worked.key == failed.key:
        steps = dict.fromkeys(call.action.name for call in others if _may_be_needed(failed, call))
        return Repair(failed, worked, (), tuple(steps))
    rewrites = rewrites_between(failed, _first_past(failed, [*between, worked]), worked)
    # A command may only be told when it was run on the way to a success.
    told = failed.action.kind != "shell" or run.outcome == "success"
    return Repair(
        failed,
        worked,
        changes_between(failed, worked, run),
        rewrites=tuple(rewrites) if told else (),
        looked=tuple(dict.fromkeys(call.action.name for call in others)),
    )


def _correction(failed: Call, worked: Sequence[Call]) -> Call | None:
    """Of the attempts that worked the first, unless that was a look at what there is and one soon after it is
    clearly nearer to what had failed."""
    if not worked or failed.action.code is None:
        return worked[0] if worked else None
    code = failed.action.code
    near = [fuzz.ratio(code, call.action.code or "") for call in worked[:CORRECTIONS]]
    best = max(range(len(near)), key=lambda index: (near[index], -index))
    return worked[best] if near[best] >= near[0] + NEARER else worked[0]


def _may_be_needed(failed: Call, between: Call) -> bool:
    """What came between may be what the failed call was waiting for. Of a command only another command that
    sets something up: what makes tests pass, such as an edit, is the work and no rule."""
    if failed.action.kind == "shell":
        return between.action.kind == "shell" and _SETS_UP.search(between.action.name) is not None
    return between.subject != failed.subject


def _first_past(failed: Call, later: Sequence[Call]) -> Call:
    """The first of the later attempts that no longer meets the same error; the last one worked."""
    assert failed.error is not None
    template = failed.error.template
    return next(
        (
            call
            for call in later
            if _same_attempt(failed, call) and (call.error is None or call.error.template != template)
        ),
        later[-1],
    )


def _same_attempt(failed: Call, later: Call) -> bool:
    if later.tool != failed.tool:
        return False
    if later.key == failed.key:
        return True
    before, after = failed.action.code, later.action.code
    if before is None or after is None:
        return failed.action.name == later.action.name and _shares_arguments(failed, later)
    if failed.action.kind == "sql" and failed.action.name != later.action.name:
        return failed.action.name == sql.UNREADABLE_NAME
    if failed.action.kind == "shell":
        before, after = _MOVES.sub("", before), _MOVES.sub("", after)
    return fuzz.ratio(before, after) >= SAME_ATTEMPT or fuzz.token_set_ratio(before, after) >= 75


def _shares_arguments(failed: Call, later: Call) -> bool:
    """Same kind of attempt: most argument names, and at least one value when there are several."""
    before, after = failed.arguments, later.arguments
    shared = before.keys() & after.keys()
    if len(before) <= 1:
        return bool(shared) or not before
    same = sum(1 for key in shared if before[key] == after[key])
    return len(shared) * 2 >= len(before) and same >= 1


def _lesson(run: Run, tool: str, template: str, repairs: list[Repair]) -> Lesson:
    first = next((repair for repair in repairs if repair.worked is not None), repairs[0])
    error = first.failed.error
    assert error is not None
    fixed = [repair for repair in repairs if repair.worked is not None]
    changes = list(dict.fromkeys(change for repair in fixed for change in repair.changes))
    sums = [
        {"message": repair.failed.error.raw, "phrases": phrases}
        for repair in repairs
        if repair.failed.error is not None
        and (phrases := explain_numbers(repair.failed.error.raw, repair.failed.arguments, run.instructions))
    ]
    facts = {
        "count": len(repairs),
        "fixed": len(fixed),
        "outcome": run.outcome,
        "action": first.failed.action.name,
        "kind": first.failed.action.kind,
        "shown": error.shown,
        "raw": error.raw,
        "changes": [change.as_fact() for change in changes],
        "rewrites": [
            rewrite.as_fact()
            for rewrite in dict.fromkeys(rewrite for repair in fixed for rewrite in repair.rewrites)
        ],
        "inserted": sorted({name for repair in fixed for name in repair.inserted}),
        "unchanged": bool(fixed)
        and all(
            repair.worked is not None and repair.worked.key == repair.failed.key and not repair.inserted
            for repair in fixed
        ),
        "between": sorted({name for repair in fixed for name in repair.looked}),
        "sums": sums,
        "tokens": sum(repair.failed.tokens for repair in repairs),
    }
    signature = Signature(pattern="refusal", tool=tool, trigger=template)
    text = refusal_text(tool, [facts])
    last = first.worked.step_id if first.worked is not None else first.failed.step_id
    return Lesson(
        skill=run.skill,
        kind="repair",
        engine="statistical",
        analyst="repair",
        trace_id=run.trace_id,
        task_id=run.task_id,
        outcome=run.outcome,
        when=f"calling {tool}",
        do=text.headline if text else f"Expect `{tool}` to refuse this.",
        because=f"`{tool}` answered: {error.raw}",
        section="tools",
        signature=signature,
        facts=facts,
        evidence=tuple(_evidence(run, first, last)),
    )


def _evidence(run: Run, repair: Repair, last: int) -> Iterator[Evidence]:
    assert repair.failed.error is not None
    yield Evidence(
        trace_id=run.trace_id,
        first_step=repair.failed.step_id,
        last_step=last,
        quote=repair.failed.error.raw,
    )
    if repair.worked is not None and repair.worked.key != repair.failed.key:
        new_values = [rewrite.after for rewrite in repair.rewrites]
        new_values += [change.example[1] for change in repair.changes]
        quote = call_quote(repair.worked, new_values)
        if quote and (repair.worked.action.code is not None or quote in new_values):
            step = repair.worked.step_id
            yield Evidence(trace_id=run.trace_id, first_step=step, last_step=step, quote=quote)
