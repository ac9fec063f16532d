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
from dataclasses import dataclass, replace
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

ANSWERING_KINDS = ("sql", "python")
ROLES = (INSPECTS, python.SAVES, python.READS)
"""Features that say what a call is for; they take part in orders like names do."""

UNREADABLE = frozenset(
    (sql.UNREADABLE_NAME, python.UNREADABLE_NAME, sql.UNPARSED, python.UNPARSED, "several statements at once")
)
"""Not habits: what a call looks like when the tool could not even read it. Refusals teach that better."""


_PRIORITY = {"before": 0, "asks": 1, "starts": 2, "does": 3, "answer": 4, "after": 5}


@dataclass(frozen=True, order=True)
class Habit:
    """A yes-or-no fact about a run."""

    kind: HabitKind
    """`starts` with action; action `before` the first other / `after` the last other; `asks` the user right
    before the first action; `does` action or feature at all; `answer`: the query or program that gave the
    result has the feature."""
    action: str
    other: str = ""
    """The second action of an order; for `answer` the kind of code, `sql` or `python`."""

    @property
    def preference(self) -> tuple[int, int, str]:
        """Sorts habits that say nearly the same: the most telling first."""
        return (_PRIORITY[self.kind], len(self.action), self.key)

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


def first_answer_has(run: RunActions, habit: Habit) -> bool | None:
    """Whether the first query or program that worked has the feature of an `answer` habit: what the run set
    out to do, before anything told it how it was doing. None for a run without one."""
    positions = answering_calls(run, habit.other)
    return habit.action in run.features[positions[0]] if positions else None


def last_label(run: RunActions) -> str | None:
    """The last action that is not merely the end of the run."""
    return next((name for name in reversed(run.names) if not FINISHES.match(name)), None)


def labels_of(run: RunActions, position: int) -> tuple[str, ...]:
    """Names an action goes by in habits: its own, and the role it plays where that can be told."""
    name = run.names[position]
    if name in UNREADABLE or FINISHES.match(name):
        return ()
    return (name, *(label for label in ROLES if label in run.features[position]))


def habit_table(runs: Sequence[RunActions], stretch: Sequence[int] | None = None) -> HabitTable:
    """Habits of all runs that enough of them have and lack.

    `stretch` limits each run to its first so many calls; only `does` and `starts` habits are formed then.
    """
    runs = _told_by_options(runs)
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
    answers = {
        kind: np.array([habit.kind == "answer" and habit.other == kind for habit in habits], dtype=bool)
        for kind in ANSWERING_KINDS
    }
    for number, row in enumerate(rows):
        counted[number, always] = True
        for kind, columns in answers.items():
            counted[number, columns] = bool(answering_calls(runs[number], kind))
        for habit, value in row.items():
            column = index_of.get(habit)
            if column is not None:
                counted[number, column] = True
                has[number, column] = value
    if stretch is None:
        lacking = (counted & ~has).sum(axis=0) >= need
        distinct = lacking & _first_of_equals(habits, has, counted)
        habits = [habit for habit, keep in zip(habits, distinct, strict=True) if keep]
        has, counted = has[:, distinct], counted[:, distinct]
    return HabitTable(habits, has, counted)


def _first_of_equals(habits: Sequence[Habit], has: BoolArray, counted: BoolArray) -> BoolArray:
    """Marks one habit of every set that no run tells apart: they are one question, asked once. The most
    telling stays: an order before a single action, then the shortest."""
    best: dict[bytes, int] = {}
    for column in sorted(range(len(habits)), key=lambda c: habits[c].preference):
        best.setdefault(np.packbits(np.stack([has[:, column], counted[:, column]])).tobytes(), column)
    marks = np.zeros(len(habits), dtype=bool)
    marks[list(best.values())] = True
    return marks


def _told_by_options(runs: Sequence[RunActions]) -> Sequence[RunActions]:
    """The runs with calls made without options named by the options that others give."""
    everything = {feature for run in runs for features in run.features for feature in features}
    told = {
        feature: python.without_options(feature, everything)
        for feature in everything
        if feature.endswith(python.WITHOUT_OPTIONS)
    }
    if not told:
        return runs
    return [
        replace(
            run,
            features=[
                [name for feature in features if (name := told.get(feature, feature)) is not None]
                for features in run.features
            ],
        )
        for run in runs
    ]


def _frequent_labels(runs: Iterable[RunActions]) -> frozenset[str]:
    counts = Counter(
        label
        for run in runs
        for label in {label for position in range(len(run.names)) for label in labels_of(run, position)}
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return frozenset(label for label, _ in ranked[:MAX_ACTIONS])


def _habits_of(run: RunActions, frequent: frozenset[str], limit: int | None) -> dict[Habit, bool]:
    found: dict[Habit, bool] = {}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for position in range(len(run.names) if limit is None else min(limit, len(run.names))):
        for label in labels_of(run, position):
            first.setdefault(label, position)
            last[label] = position
            found[Habit("does", label)] = True
        if run.kinds[position] in ANSWERING_KINDS or not labels_of(run, position):
            continue
        for feature in run.features[position]:
            found[Habit("does", feature)] = True
    if not first:
        return found
    for label in labels_of(run, 0):
        found[Habit("starts", label)] = True
    if limit is not None:
        return found
    for kind in ANSWERING_KINDS:
        if positions := answering_calls(run, kind):
            for feature in set(run.features[positions[-1]]) - UNREADABLE - {python.SAVES, python.READS}:
                found[Habit("answer", feature, kind)] = True
    _add_orders(found, run, first, last, frequent)
    return found


def answering_calls(run: RunActions, kind: str) -> list[int]:
    """Positions of the calls that may have given the result, in order: queries that worked and are not a
    look at the schema; programs that worked, those that save something where there are any.
    """
    worked = [p for p in range(len(run.names)) if run.kinds[p] == kind and not run.failed[p]]
    if kind == "sql":
        return [p for p in worked if run.names[p] == "SELECT" and INSPECTS not in run.features[p]]
    return [p for p in worked if python.SAVES in run.features[p]] or worked


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
            if action == other or action in labels_of(run, first[other]):
                continue
            found[Habit("before", action, other)] = first.get(action, len(run.names)) < first[other]
            found[Habit("after", action, other)] = last.get(action, -1) > last[other]
