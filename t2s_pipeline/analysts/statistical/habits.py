"""Habits of runs: yes-or-no facts about what a run did, computed from its actions.

A habit is *counted* in a run only where it could have shown (an order of two actions needs the second one
to occur). Habits that a run can only have by going on for longer are measured in a way that length does not
change: clauses of SQL on the last query only, and `stretch` on the first calls that all attempts at a task
made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from t2s_pipeline.analysts.statistical.actions import python, sql
from t2s_pipeline.analysts.statistical.actions.sql import INSPECTS
from t2s_pipeline.analysts.statistical.stratified import BoolArray

HabitKind = Literal["starts", "before", "after", "asks", "does", "answer"]

MAX_ACTIONS = 24
"""Most frequent actions that order habits are formed of: pairs grow with the square."""
MIN_SHARE = 0.02
MIN_RUNS = 10
"""A habit fewer runs have (or lack) cannot be told from chance and would only cost power."""


FINISHES = re.compile(r"(?:submit|finish|final_answer|complete_task|task_complete|done|exit)(?![a-z])", re.I)
"""Ways of ending a run. Not habits: a run without one was cut short, and that is no advice."""

UNREADABLE = frozenset(
    (sql.UNREADABLE_NAME, python.UNREADABLE_NAME, sql.UNPARSED, python.UNPARSED, "several statements at once")
)
"""Not habits: what a call looks like when the tool could not even read it. Refusals teach that better."""


@dataclass(frozen=True, order=True)
class Habit:
    """A yes-or-no fact about a run."""

    kind: HabitKind
    """`starts` with action; action `before` the first other / `after` the last other; `asks` the user right
    before the first action; `does` action or feature at all; `answer`: the last query has the feature."""
    action: str
    other: str = ""

    @property
    def key(self) -> str:
        """Readable identity, e.g. `before: looks at the schema | SELECT`."""
        return f"{self.kind}: {self.action}" + (f" | {self.other}" if self.other else "")


@dataclass(frozen=True)
class RunActions:
    """The actions of one run, in order, as lists of equal length."""

    names: Sequence[str]
    kinds: Sequence[str]
    features: Sequence[Sequence[str]]
    step_ids: Sequence[int]
    failed: Sequence[bool]
    after_user: Sequence[bool]


@dataclass(frozen=True)
class HabitTable:
    """Which runs have which habits: two boolean matrices of shape (runs, habits)."""

    habits: list[Habit]
    has: BoolArray
    counted: BoolArray


def first_query_has(run: RunActions, feature: str) -> bool | None:
    """Whether the first query that worked has a feature: what the run set out to do, before anything told
    it how it was doing. None for a run without such a query."""
    queries = _queries(run)
    return feature in run.features[queries[0]] if queries else None


def last_label(run: RunActions) -> str | None:
    """The last action that is not merely the end of the run."""
    return next((name for name in reversed(run.names) if not FINISHES.match(name)), None)


def labels_of(run: RunActions, position: int) -> tuple[str, ...]:
    """Names an action goes by in order habits: its own, and `looks at the schema` where it does."""
    name = run.names[position]
    if name in UNREADABLE or FINISHES.match(name):
        return ()
    return (name, INSPECTS) if INSPECTS in run.features[position] else (name,)


def habit_table(runs: Sequence[RunActions], stretch: Sequence[int] | None = None) -> HabitTable:
    """Habits of all runs that enough of them have and lack.

    `stretch` limits each run to its first so many calls; only `does` and `starts` habits are formed then.
    """
    frequent = _frequent_labels(runs)
    rows: list[dict[Habit, bool]] = []
    for index, run in enumerate(runs):
        limit = None if stretch is None else stretch[index]
        rows.append(_habits_of(run, frequent, limit))
    yes = Counter(habit for row in rows for habit, value in row.items() if value)
    need = max(MIN_RUNS, int(MIN_SHARE * len(runs)))
    habits = sorted(habit for habit, n in yes.items() if n >= need or stretch is not None)
    index_of = {habit: column for column, habit in enumerate(habits)}
    has = np.zeros((len(runs), len(habits)), dtype=bool)
    counted = np.zeros((len(runs), len(habits)), dtype=bool)
    always = np.array([habit.kind in ("does", "starts") for habit in habits], dtype=bool)
    answers = np.array([habit.kind == "answer" for habit in habits], dtype=bool)
    for number, row in enumerate(rows):
        counted[number, always] = True
        counted[number, answers] = bool(_queries(runs[number]))
        for habit, value in row.items():
            column = index_of.get(habit)
            if column is not None:
                counted[number, column] = True
                has[number, column] = value
    if stretch is None:
        lacking = (counted & ~has).sum(axis=0) >= need
        habits = [habit for habit, keep in zip(habits, lacking, strict=True) if keep]
        has, counted = has[:, lacking], counted[:, lacking]
    return HabitTable(habits, has, counted)


def _frequent_labels(runs: Iterable[RunActions]) -> frozenset[str]:
    counts = Counter(label for run in runs for label in {*run.names, *_inspecting(run)})
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return frozenset(label for label, _ in ranked[:MAX_ACTIONS])


def _inspecting(run: RunActions) -> tuple[str, ...]:
    return (INSPECTS,) if any(INSPECTS in features for features in run.features) else ()


def _habits_of(run: RunActions, frequent: frozenset[str], limit: int | None) -> dict[Habit, bool]:
    found: dict[Habit, bool] = {}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for position in range(len(run.names) if limit is None else min(limit, len(run.names))):
        for label in labels_of(run, position):
            first.setdefault(label, position)
            last[label] = position
            found[Habit("does", label)] = True
        if run.kinds[position] == "sql" or not labels_of(run, position):
            continue
        for feature in run.features[position]:
            found[Habit("does", feature)] = True
    if not first:
        return found
    for label in labels_of(run, 0):
        found[Habit("starts", label)] = True
    if limit is not None:
        return found
    if queries := _queries(run):
        for feature in set(run.features[queries[-1]]) - UNREADABLE:
            found[Habit("answer", feature)] = True
    _add_orders(found, run, first, last, frequent)
    return found


def _queries(run: RunActions) -> list[int]:
    """Positions of the queries that worked and are not a look at the schema."""
    return [
        position
        for position, name in enumerate(run.names)
        if run.kinds[position] == "sql"
        and name == "SELECT"
        and not run.failed[position]
        and INSPECTS not in run.features[position]
    ]


def _add_orders(
    found: dict[Habit, bool],
    run: RunActions,
    first: Mapping[str, int],
    last: Mapping[str, int],
    frequent: frozenset[str],
) -> None:
    for other in first:
        if other not in frequent:
            continue
        if first[other] > 0:
            found[Habit("asks", other)] = run.after_user[first[other]]
        for action in frequent:
            if action == other or {action, other} == {INSPECTS, run.names[first[other]]}:
                continue
            found[Habit("before", action, other)] = first.get(action, len(run.names)) < first[other]
            found[Habit("after", action, other)] = last.get(action, -1) > last[other]
