"""Habits that separate success from failure among attempts at the same tasks.

Implements within-task contrasts: strata are tasks (and agents, where agents tried tasks repeatedly),
Cochran-Mantel-Haenszel or the exact conditional test, Benjamini-Hochberg over every habit tried. A second
family asks what makes a first call of an action work at all (preconditions). Without repeated attempts
nothing is said. A habit that only hurts because failing runs go on for longer is told apart by measuring it
on equally long beginnings; one that only tells a good agent from a bad one, by taking agents out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from t2s_pipeline.analysts.statistical.actions.sql import INSPECTS
from t2s_pipeline.analysts.statistical.habits import (
    MIN_RUNS,
    Habit,
    HabitTable,
    RunActions,
    first_answer_has,
    habit_table,
    labels_of,
    last_label,
)
from t2s_pipeline.analysts.statistical.stratified import (
    Adjusted,
    BoolArray,
    Contrast,
    IntArray,
    adjusted_for_agents,
    q_values,
    stratified_test,
)

MIN_DIFFERENCE = 0.15
"""Smallest difference in success (Mantel-Haenszel) worth a rule."""
MIN_ANSWER_DIFFERENCE = 0.3
"""The same for a clause of the answering query: what a query contains is mostly what its task asks for."""
MIN_ADJUSTED_Z = 1.64
"""What must be left of a habit after agents are taken out (one-sided 5 %)."""
CONDITIONAL_P = 0.05
"""A habit must say something that the habits chosen before it do not."""
SAME_HABIT_PHI = 0.6
NEARLY_AS_STRONG = 0.97
EXCLUDES_PHI = 0.3
USUAL_END_SHARE = 0.8
MAX_FINDINGS = 12
MIN_FAILING_SHARE = 0.1
"""Share of first calls of an action that must fail before its preconditions are looked for."""

Family = Literal["success", "works"]


@dataclass(frozen=True)
class SkillRuns:
    """The runs of a skill whose outcome is known; all sequences have one entry per run."""

    trace_ids: Sequence[str]
    tasks: Sequence[str]
    agents: Sequence[str]
    success: BoolArray
    actions: Sequence[RunActions]


@dataclass(frozen=True)
class Finding:
    """A habit that holds up, and the runs that show it."""

    family: Family
    habit: Habit
    contrast: Contrast
    q_value: float
    pairs: tuple[tuple[int, int], ...]
    """One (better, worse) pair of run indices per task that shows it, in task order."""
    instead_of: str = ""
    """What runs without the habit did in its place, where that is harmful by the same tests."""

    @property
    def harmful(self) -> bool:
        """The advice is not to have the habit."""
        return self.contrast.z < 0


@dataclass(frozen=True)
class _Candidate:
    habit: Habit
    column: int
    contrast: Contrast
    q_value: float


def find_contrasts(runs: SkillRuns, *, max_fdr: float, min_strata: int) -> list[Finding]:
    """Habits of the runs that are worth a rule, the strongest first; often none, which is legal."""
    if len(runs.trace_ids) < 2 * min_strata:
        return []
    table = habit_table(runs.actions)
    findings = _success_findings(runs, table, max_fdr, min_strata)
    known = {(finding.habit.action, finding.habit.other) for finding in findings}
    for finding in _precondition_findings(runs, max_fdr, min_strata):
        if (finding.habit.action, finding.habit.other) not in known:
            findings.append(finding)
    return findings[:MAX_FINDINGS]


def _success_findings(runs: SkillRuns, table: HabitTable, max_fdr: float, min_strata: int) -> list[Finding]:
    strata, mixed = _strata(runs, runs.success, min_strata)
    agents = _codes(runs.agents)
    candidates = _significant(table, runs.success, strata, max_fdr, min_strata)
    sound: list[_Candidate] = []
    for candidate in candidates:
        has, counted = table.has[:, candidate.column], table.counted[:, candidate.column]
        left = Adjusted(candidate.contrast.z, candidate.contrast.difference)
        if mixed:
            left = adjusted_for_agents(has, runs.success, strata, agents, counted)
        if not _survives(left, candidate) or _only_finishes(candidate.habit, runs):
            continue
        if candidate.contrast.z < 0 and not _comes_before_failing(
            candidate.habit, runs, strata, agents, mixed
        ):
            continue
        sound.append(candidate)
    return [
        replace(
            _finding("success", runs, table, candidate, runs.success, strata),
            instead_of=_in_its_place(candidate, sound, table, strata),
        )
        for candidate in _independent(sound, table, runs.success, strata)
        if candidate.contrast.z > 0 or candidate.habit.kind != "answer"
    ]


def _in_its_place(
    chosen: _Candidate, sound: Sequence[_Candidate], table: HabitTable, strata: IntArray
) -> str:
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
        and _phi(table.has[rows, candidate.column], has[rows]) <= -EXCLUDES_PHI
    ]
    best = min(rivals, key=lambda c: (c.contrast.z, c.habit), default=None)
    return best.habit.action if best is not None else ""


def _precondition_findings(runs: SkillRuns, max_fdr: float, min_strata: int) -> list[Finding]:
    """For each action whose first call often fails: what, done before, makes it work."""
    everything: list[tuple[_Candidate, HabitTable, BoolArray, IntArray, bool]] = []
    for other in _often_failing(runs):
        first = [_first_position(run, other) for run in runs.actions]
        occurs = np.array([position is not None for position in first])
        works = np.array(
            [
                position is not None and not run.failed[position]
                for run, position in zip(runs.actions, first, strict=True)
            ]
        )
        table = _done_before(runs, other, first, occurs)
        strata, mixed = _strata(runs, works, min_strata)
        for column, habit in enumerate(table.habits):
            contrast = stratified_test(table.has[:, column], works, strata, table.counted[:, column])
            everything.append((_Candidate(habit, column, contrast, 1.0), table, works, strata, mixed))
    adjusted = q_values([candidate.contrast.p_value for candidate, *_ in everything])
    agents = _codes(runs.agents)
    best: dict[str, Finding] = {}
    for (candidate, table, works, strata, mixed), q_value in zip(everything, adjusted, strict=True):
        if not _worth(candidate.contrast, q_value, max_fdr, min_strata) or candidate.contrast.z < 0:
            continue
        if mixed:
            has, counted = table.has[:, candidate.column], table.counted[:, candidate.column]
            if not _survives(adjusted_for_agents(has, works, strata, agents, counted), candidate):
                continue
        found = _finding("works", runs, table, replace(candidate, q_value=q_value), works, strata)
        held = best.get(candidate.habit.other)
        if held is None or found.contrast.z > held.contrast.z:
            best[candidate.habit.other] = found
    return sorted(best.values(), key=lambda finding: -finding.contrast.z)


def _only_finishes(habit: Habit, runs: SkillRuns) -> bool:
    """The action after the other is how runs end anyway: a run without it was cut short, not careless."""
    if habit.kind != "after":
        return False
    ends = [run for run, good in zip(runs.actions, runs.success, strict=True) if good and run.names]
    finishing = sum(1 for run in ends if last_label(run) == habit.action)
    return habit.other == INSPECTS or finishing > USUAL_END_SHARE * len(ends)


def _survives(left: Adjusted, candidate: _Candidate) -> bool:
    """The habit is more than a mark of which agent acted, and matters enough."""
    sign = 1.0 if candidate.contrast.z > 0 else -1.0
    least = MIN_ANSWER_DIFFERENCE if candidate.habit.kind == "answer" else MIN_DIFFERENCE
    return left.z * sign >= MIN_ADJUSTED_Z and left.difference * sign >= least


def _often_failing(runs: SkillRuns) -> list[str]:
    calls: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for run in runs.actions:
        for name in dict.fromkeys(run.names):
            calls[name] += 1
            failures[name] += run.failed[run.names.index(name)]
    return sorted(
        name
        for name, n in calls.items()
        if failures[name] >= MIN_RUNS and failures[name] >= MIN_FAILING_SHARE * n
    )


def _first_position(run: RunActions, name: str) -> int | None:
    return next((index for index, other in enumerate(run.names) if other == name), None)


def _done_before(runs: SkillRuns, other: str, first: Sequence[int | None], occurs: BoolArray) -> HabitTable:
    before: list[set[str]] = []
    for run, position in zip(runs.actions, first, strict=True):
        done: set[str] = set()
        for index in range(position or 0):
            if not run.failed[index]:
                done.update(label for label in labels_of(run, index) if label != other)
        before.append(done)
    counts = Counter(label for done in before for label in done)
    labels = sorted(label for label, n in counts.items() if n >= MIN_RUNS)
    has = np.array([[label in done for label in labels] for done in before], dtype=bool).reshape(
        len(before), len(labels)
    )
    counted = np.repeat(occurs[:, None], len(labels), axis=1)
    return HabitTable([Habit("before", label, other) for label in labels], has, counted)


def _strata(runs: SkillRuns, good: BoolArray, min_strata: int) -> tuple[IntArray, bool]:
    """Stratum of each run, and whether agents are mixed inside strata.

    (task, agent) where enough of these hold both outcomes; else the task alone.
    """
    tasks = _codes(runs.tasks)
    if len(set(runs.agents)) < 2:
        return tasks, False
    fine = _codes([f"{task}\x00{agent}" for task, agent in zip(runs.tasks, runs.agents, strict=True)])
    runs_of, good_of = np.bincount(fine), np.bincount(fine, good.astype(float))
    if int(((good_of > 0) & (good_of < runs_of)).sum()) >= min_strata:
        return fine, False
    return tasks, True


def _codes(values: Sequence[str]) -> IntArray:
    return np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def _significant(
    table: HabitTable, good: BoolArray, strata: IntArray, max_fdr: float, min_strata: int
) -> list[_Candidate]:
    tested = [
        stratified_test(table.has[:, column], good, strata, table.counted[:, column])
        for column in range(len(table.habits))
    ]
    adjusted = q_values([contrast.p_value for contrast in tested])
    return [
        _Candidate(habit, column, contrast, q_value)
        for column, (habit, contrast, q_value) in enumerate(zip(table.habits, tested, adjusted, strict=True))
        if _worth(contrast, q_value, max_fdr, min_strata)
    ]


def _worth(contrast: Contrast, q_value: float, max_fdr: float, min_strata: int) -> bool:
    return q_value <= max_fdr and contrast.strata >= min_strata and abs(contrast.difference) >= MIN_DIFFERENCE


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
    candidates: list[_Candidate], table: HabitTable, good: BoolArray, strata: IntArray
) -> list[_Candidate]:
    """Forward selection: the strongest habit, then the strongest that still says something given it, …"""
    left = sorted(candidates, key=lambda c: (-abs(c.contrast.z), c.habit.preference))
    chosen: list[_Candidate] = []
    split = strata
    while left and len(chosen) < MAX_FINDINGS:
        best = _most_precise(left, table)
        chosen.append(best)
        has = table.has[:, best.column]
        split = _codes([f"{code}:{int(value)}" for code, value in zip(split, has, strict=True)])
        left = [c for c in left if c is not best and _still_tells(c, best, table, good, split)]
    return chosen


def _most_precise(left: list[_Candidate], table: HabitTable) -> _Candidate:
    best = left[0]
    near = [
        candidate
        for candidate in left
        if abs(candidate.contrast.z) >= NEARLY_AS_STRONG * abs(best.contrast.z)
        and abs(_phi(table.has[:, candidate.column], table.has[:, best.column])) >= SAME_HABIT_PHI
    ]
    return min(near, key=lambda c: (c.habit.preference, -abs(c.contrast.z)))


def _still_tells(
    candidate: _Candidate, chosen: _Candidate, table: HabitTable, good: BoolArray, split: IntArray
) -> bool:
    has, counted = table.has[:, candidate.column], table.counted[:, candidate.column]
    if abs(_phi(has, table.has[:, chosen.column])) >= SAME_HABIT_PHI:
        return False
    given = stratified_test(has, good, split, counted)
    return given.p_value <= CONDITIONAL_P and given.z * candidate.contrast.z > 0


def _phi(a: BoolArray, b: BoolArray) -> float:
    if a.all() or b.all() or not a.any() or not b.any():
        return 0.0
    return float(np.corrcoef(a.astype(float), b.astype(float))[0, 1])


def _finding(
    family: Family,
    runs: SkillRuns,
    table: HabitTable,
    candidate: _Candidate,
    good: BoolArray,
    strata: IntArray,
) -> Finding:
    has, counted = table.has[:, candidate.column], table.counted[:, candidate.column]
    follows = has if candidate.contrast.z > 0 else ~has
    pairs: dict[str, tuple[int, int]] = {}
    order = sorted(range(len(runs.trace_ids)), key=lambda index: runs.trace_ids[index])
    better = {int(strata[i]): i for i in reversed(order) if counted[i] and follows[i] and good[i]}
    worse = {int(strata[i]): i for i in reversed(order) if counted[i] and not follows[i] and not good[i]}
    for code in better.keys() & worse.keys():
        task = runs.tasks[better[code]]
        pair = (better[code], worse[code])
        pairs[task] = min(pairs.get(task, pair), pair)
    listed = tuple(pairs[task] for task in sorted(pairs))
    return Finding(family, candidate.habit, candidate.contrast, candidate.q_value, listed)
