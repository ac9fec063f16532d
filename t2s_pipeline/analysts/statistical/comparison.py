"""What comparing runs of a skill needs, whatever the question: the runs, a tested habit, a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from t2s_pipeline.analysts.statistical.habits import Habit, HabitTable, RunActions
from t2s_pipeline.analysts.statistical.stratified import Adjusted, BoolArray, Contrast, IntArray

Family = Literal["success", "works"]
"""What the better runs did: solve the task, or have their first call of an action work."""

MIN_DIFFERENCE = 0.15
"""Smallest difference in success (Mantel-Haenszel) worth a rule."""
MIN_ANSWER_DIFFERENCE = 0.3
"""The same for a clause of the answering query: what a query contains is mostly what its task asks for."""
MIN_ADJUSTED_Z = 1.64
"""What must be left of a habit after agents are taken out (one-sided 5 %)."""


@dataclass(frozen=True)
class SkillRuns:
    """The runs of a skill whose outcome is known; all sequences have one entry per run."""

    trace_ids: Sequence[str]
    tasks: Sequence[str]
    agents: Sequence[str]
    success: BoolArray
    actions: Sequence[RunActions]

    def only(self, rows: Sequence[int]) -> SkillRuns:
        """The given runs, in the given order."""
        return SkillRuns(
            trace_ids=[self.trace_ids[row] for row in rows],
            tasks=[self.tasks[row] for row in rows],
            agents=[self.agents[row] for row in rows],
            success=self.success[list(rows)],
            actions=[self.actions[row] for row in rows],
        )


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
class Candidate:
    habit: Habit
    column: int
    contrast: Contrast
    q_value: float


def strata_of(runs: SkillRuns, good: BoolArray, min_strata: int) -> tuple[IntArray, bool]:
    """Stratum of each run, and whether agents are mixed inside strata.

    (task, agent) where enough of these hold both outcomes; else the task alone.
    """
    tasks = codes_of(runs.tasks)
    if len(set(runs.agents)) < 2:
        return tasks, False
    fine = codes_of([f"{task}\x00{agent}" for task, agent in zip(runs.tasks, runs.agents, strict=True)])
    runs_of, good_of = np.bincount(fine), np.bincount(fine, good.astype(float))
    if int(((good_of > 0) & (good_of < runs_of)).sum()) >= min_strata:
        return fine, False
    return tasks, True


def codes_of(values: Sequence[str]) -> IntArray:
    return np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def worth(contrast: Contrast, q_value: float, max_fdr: float, min_strata: int) -> bool:
    return q_value <= max_fdr and contrast.strata >= min_strata and abs(contrast.difference) >= MIN_DIFFERENCE


def survives(left: Adjusted, candidate: Candidate) -> bool:
    """The habit is more than a mark of which agent acted, and matters enough."""
    sign = 1.0 if candidate.contrast.z > 0 else -1.0
    least = MIN_ANSWER_DIFFERENCE if candidate.habit.kind == "answer" else MIN_DIFFERENCE
    return left.z * sign >= MIN_ADJUSTED_Z and left.difference * sign >= least


def phi(a: BoolArray, b: BoolArray) -> float:
    if a.all() or b.all() or not a.any() or not b.any():
        return 0.0
    return float(np.corrcoef(a.astype(float), b.astype(float))[0, 1])


def finding_of(
    family: Family,
    runs: SkillRuns,
    table: HabitTable,
    candidate: Candidate,
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
