"""What, done before, makes the first call of an action work.

The second question asked of attempts at the same tasks. Unlike success, the outcome comes right after the
habit, so time runs the right way by construction: what was done before a call cannot be a consequence of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from t2s_pipeline.analysts.statistical.comparison import (
    Candidate,
    Finding,
    SkillRuns,
    codes_of,
    finding_of,
    strata_of,
    survives,
    worth,
)
from t2s_pipeline.analysts.statistical.habits import MIN_RUNS, Habit, HabitTable, RunActions
from t2s_pipeline.analysts.statistical.stratified import (
    BoolArray,
    IntArray,
    adjusted_for_agents,
    q_values,
    stratified_test,
)

MIN_FAILING_SHARE = 0.1
"""Share of first calls of an action that must fail before its preconditions are looked for."""
MAX_FAILING_ACTIONS = 24
"""Actions looked at, those that fail in most runs first: a skill with thousands of actions has few that
matter, and each costs a pass over its runs."""


@dataclass(frozen=True)
class _Question:
    """The runs that call an action, and whether their first call of it worked."""

    rows: Sequence[int]
    runs: SkillRuns
    works: BoolArray
    table: HabitTable
    strata: IntArray
    mixed: bool


def precondition_findings(runs: SkillRuns, max_fdr: float, min_strata: int) -> list[Finding]:
    """For each action whose first call often fails, the best thing to do before it; strongest first."""
    firsts = _first_calls(runs.actions)
    tried: list[tuple[Candidate, _Question]] = []
    for action in _often_failing(runs.actions, firsts):
        question = _question(runs, action, firsts[action], min_strata)
        for column, habit in enumerate(question.table.habits):
            has, counted = question.table.has[:, column], question.table.counted[:, column]
            contrast = stratified_test(has, question.works, question.strata, counted)
            tried.append((Candidate(habit, column, contrast, 1.0), question))
    adjusted = q_values([candidate.contrast.p_value for candidate, _ in tried])
    best: dict[str, Finding] = {}
    for (candidate, question), q_value in zip(tried, adjusted, strict=True):
        if candidate.contrast.z < 0 or not worth(candidate.contrast, q_value, max_fdr, min_strata):
            continue
        if question.mixed and not _more_than_an_agent(candidate, question):
            continue
        held = best.get(candidate.habit.other)
        if held is None or candidate.contrast.z > held.contrast.z:
            found = replace(candidate, q_value=q_value)
            best[candidate.habit.other] = _finding(found, question)
    return sorted(best.values(), key=lambda finding: (-finding.contrast.z, finding.habit))


def _first_calls(actions: Sequence[RunActions]) -> dict[str, dict[int, int]]:
    """For each action, the runs that call it and the position of their first call."""
    found: dict[str, dict[int, int]] = {}
    for row, run in enumerate(actions):
        for position, name in enumerate(run.names):
            found.setdefault(name, {}).setdefault(row, position)
    return found


def _often_failing(actions: Sequence[RunActions], firsts: Mapping[str, Mapping[int, int]]) -> list[str]:
    failures = {
        name: sum(actions[row].failed[position] for row, position in calls.items())
        for name, calls in firsts.items()
        if len(calls) >= MIN_RUNS
    }
    often = [
        name
        for name, failed in failures.items()
        if failed >= MIN_RUNS and failed >= MIN_FAILING_SHARE * len(firsts[name])
    ]
    return sorted(often, key=lambda name: (-failures[name], name))[:MAX_FAILING_ACTIONS]


def _question(runs: SkillRuns, action: str, first: Mapping[int, int], min_strata: int) -> _Question:
    rows = sorted(first)
    part = runs.only(rows)
    works = np.array([not runs.actions[row].failed[first[row]] for row in rows], dtype=bool)
    before = [_done_before(runs.actions[row], first[row], action) for row in rows]
    counts = Counter(label for done in before for label in done)
    labels = sorted(label for label, n in counts.items() if n >= MIN_RUNS)
    has = np.array([[label in done for label in labels] for done in before], dtype=bool)
    has = has.reshape(len(rows), len(labels))
    table = HabitTable([Habit("before", label, action) for label in labels], has, np.ones_like(has))
    strata, mixed = strata_of(part, works, min_strata)
    return _Question(rows, part, works, table, strata, mixed)


def _done_before(run: RunActions, position: int, action: str) -> set[str]:
    """What the run had done, successfully, before its first call of the action."""
    done: set[str] = set()
    for index in range(position):
        if not run.failed[index]:
            done.update(run.labels[index])
    done.discard(action)
    return done


def _more_than_an_agent(candidate: Candidate, question: _Question) -> bool:
    has = question.table.has[:, candidate.column]
    counted = question.table.counted[:, candidate.column]
    agents = codes_of(question.runs.agents)
    left = adjusted_for_agents(has, question.works, question.strata, agents, counted)
    return survives(left, candidate)


def _finding(candidate: Candidate, question: _Question) -> Finding:
    """The finding with its runs numbered as in the whole skill."""
    found = finding_of("works", question.runs, question.table, candidate, question.works, question.strata)
    rows = question.rows
    return replace(found, pairs=tuple((rows[better], rows[worse]) for better, worse in found.pairs))
