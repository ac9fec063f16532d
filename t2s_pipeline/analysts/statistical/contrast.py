"""Habits that separate success from failure among attempts at the same tasks.

Implements within-task contrasts: strata are tasks (and agents, where agents tried tasks repeatedly),
Cochran-Mantel-Haenszel or the exact conditional test, Benjamini-Hochberg over every habit tried. A second
family asks what makes a first call of an action work at all (preconditions). Without repeated attempts
nothing is said. A habit that only hurts because failing runs go on for longer is told apart by measuring it
on equally long beginnings; one that only tells a good agent from a bad one, by taking agents out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from t2s_pipeline.analysts.statistical.actions.python import SAVES
from t2s_pipeline.analysts.statistical.actions.sql import INSPECTS
from t2s_pipeline.analysts.statistical.comparison import (
    MIN_ADJUSTED_Z,
    MIN_DIFFERENCE,
    Candidate,
    Finding,
    SkillRuns,
    codes_of,
    finding_of,
    phi,
    strata_of,
    survives,
    worth,
)
from t2s_pipeline.analysts.statistical.habits import (
    Habit,
    HabitTable,
    first_answer_has,
    habit_table,
    last_label,
)
from t2s_pipeline.analysts.statistical.preconditions import precondition_findings
from t2s_pipeline.analysts.statistical.stratified import (
    Adjusted,
    BoolArray,
    IntArray,
    adjusted_for_agents,
    q_values,
    stratified_test,
)

CONDITIONAL_P = 0.05
"""A habit must say something that the habits chosen before it do not."""
SAME_HABIT_PHI = 0.6
NEARLY_AS_STRONG = 0.97
EXCLUDES_PHI = 0.3
USUAL_END_SHARE = 0.8
MAX_FINDINGS = 12


def find_contrasts(runs: SkillRuns, *, max_fdr: float, min_strata: int) -> list[Finding]:
    """Habits of the runs that are worth a rule, the strongest first; often none, which is legal."""
    if len(runs.trace_ids) < 2 * min_strata:
        return []
    table = habit_table(runs.actions)
    findings = _success_findings(runs, table, max_fdr, min_strata)
    known = {(finding.habit.action, finding.habit.other) for finding in findings}
    for finding in precondition_findings(runs, max_fdr, min_strata):
        if (finding.habit.action, finding.habit.other) not in known:
            findings.append(finding)
    return findings[:MAX_FINDINGS]


def _success_findings(runs: SkillRuns, table: HabitTable, max_fdr: float, min_strata: int) -> list[Finding]:
    strata, mixed = strata_of(runs, runs.success, min_strata)
    agents = codes_of(runs.agents)
    candidates = _significant(table, runs.success, strata, max_fdr, min_strata)
    sound: list[Candidate] = []
    for candidate in candidates:
        has, counted = table.has[:, candidate.column], table.counted[:, candidate.column]
        left = Adjusted(candidate.contrast.z, candidate.contrast.difference)
        if mixed:
            left = adjusted_for_agents(has, runs.success, strata, agents, counted)
        if not survives(left, candidate) or _only_finishes(candidate.habit, runs):
            continue
        if candidate.contrast.z < 0 and not _comes_before_failing(
            candidate.habit, runs, strata, agents, mixed
        ):
            continue
        sound.append(candidate)
    return [
        replace(
            finding_of("success", runs, table, candidate, runs.success, strata),
            instead_of=_in_its_place(candidate, sound, table, strata),
        )
        for candidate in _independent(sound, table, runs.success, strata)
        if candidate.contrast.z > 0 or candidate.habit.kind != "answer"
    ]


def _in_its_place(chosen: Candidate, sound: Sequence[Candidate], table: HabitTable, strata: IntArray) -> str:
    """The strongest harmful habit of the same kind that excludes the chosen one, where both could show.

    A harmful clause is only ever named like this, beside what to use instead: no clause is wrong by itself.
    """
    if chosen.contrast.z < 0:
        return ""
    has = table.has[:, chosen.column]
    both = np.bincount(strata, has) * np.bincount(strata, ~has) > 0
    rows = both[strata]
    rivals = [
        candidate
        for candidate in sound
        if candidate.contrast.z < 0
        and candidate.habit.kind == chosen.habit.kind
        and phi(table.has[rows, candidate.column], has[rows]) <= -EXCLUDES_PHI
    ]
    best = min(rivals, key=lambda c: (c.contrast.z, c.habit), default=None)
    return best.habit.action if best is not None else ""


def _only_finishes(habit: Habit, runs: SkillRuns) -> bool:
    """The action after the other is how runs end anyway: a run without it was cut short, not careless."""
    if habit.kind != "after":
        return False
    ends = [run for run, good in zip(runs.actions, runs.success, strict=True) if good and run.names]
    finishing = sum(1 for run in ends if last_label(run) == habit.action)
    return habit.other == INSPECTS or finishing > USUAL_END_SHARE * len(ends)


def _significant(
    table: HabitTable, good: BoolArray, strata: IntArray, max_fdr: float, min_strata: int
) -> list[Candidate]:
    tested = [
        stratified_test(table.has[:, column], good, strata, table.counted[:, column])
        for column in range(len(table.habits))
    ]
    adjusted = q_values([contrast.p_value for contrast in tested])
    return [
        Candidate(habit, column, contrast, q_value)
        for column, (habit, contrast, q_value) in enumerate(zip(table.habits, tested, adjusted, strict=True))
        if worth(contrast, q_value, max_fdr, min_strata)
    ]


def _comes_before_failing(
    habit: Habit, runs: SkillRuns, strata: IntArray, agents: IntArray, mixed: bool
) -> bool:
    """A harmful habit must show before the run can know that it fails: clauses in the first query that
    worked, actions in the first calls that every attempt at the task made.
    """
    if habit.kind == "starts":
        return True
    if habit.kind == "answer":
        first = [first_answer_has(run, habit) for run in runs.actions]
        has = np.array([value is True for value in first])
        counted = np.array([value is not None for value in first])
    elif habit.kind == "does":
        lengths = np.array([len(run.names) for run in runs.actions], dtype=np.int64)
        shortest = np.full(int(strata.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(shortest, strata, lengths)
        table = habit_table(runs.actions, stretch=[int(shortest[code]) for code in strata])
        if habit not in table.habits:
            return False
        has = table.has[:, table.habits.index(habit)]
        counted = np.ones(len(runs.trace_ids), dtype=bool)
    else:
        return False  # the order of two actions in a long run says nothing about its beginning
    if mixed:
        left = adjusted_for_agents(has, runs.success, strata, agents, counted)
    else:
        tested = stratified_test(has, runs.success, strata, counted)
        left = Adjusted(tested.z, tested.difference)
    return left.z <= -MIN_ADJUSTED_Z and left.difference <= -MIN_DIFFERENCE


def _independent(
    candidates: list[Candidate], table: HabitTable, good: BoolArray, strata: IntArray
) -> list[Candidate]:
    """Forward selection: the strongest habit, then the strongest that still says something given it, …

    A check of what was saved is not held against what the answer contains: it helps by what it makes the run
    correct, so given the better answer it has nothing left to say, and is worth a rule all the same.
    """
    left = sorted(candidates, key=lambda c: (-abs(c.contrast.z), c.habit.preference))
    chosen: list[Candidate] = []
    split = apart = strata
    while left and len(chosen) < MAX_FINDINGS:
        best = _most_precise(left, table)
        chosen.append(best)
        has = table.has[:, best.column]
        split = _split(split, has)
        apart = apart if best.habit.kind == "answer" else _split(apart, has)
        left = [
            c
            for c in left
            if c is not best
            and abs(phi(table.has[:, c.column], has)) < SAME_HABIT_PHI
            and _still_tells(c, table, good, apart if _checks_result(c.habit) else split)
        ]
    return chosen


def _split(strata: IntArray, has: BoolArray) -> IntArray:
    return codes_of([f"{code}:{int(value)}" for code, value in zip(strata, has, strict=True)])


def _checks_result(habit: Habit) -> bool:
    return habit.kind == "after" and habit.other == SAVES


def _most_precise(left: list[Candidate], table: HabitTable) -> Candidate:
    best = left[0]
    near = [
        candidate
        for candidate in left
        if abs(candidate.contrast.z) >= NEARLY_AS_STRONG * abs(best.contrast.z)
        and abs(phi(table.has[:, candidate.column], table.has[:, best.column])) >= SAME_HABIT_PHI
    ]
    return min(near, key=lambda c: (c.habit.preference, -abs(c.contrast.z)))


def _still_tells(candidate: Candidate, table: HabitTable, good: BoolArray, split: IntArray) -> bool:
    has, counted = table.has[:, candidate.column], table.counted[:, candidate.column]
    given = stratified_test(has, good, split, counted)
    return given.p_value <= CONDITIONAL_P and given.z * candidate.contrast.z > 0
