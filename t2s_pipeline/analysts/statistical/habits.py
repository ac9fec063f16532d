"""Habits of runs: yes-or-no facts about what a run did, computed from its actions.

A habit is *counted* in a run only where it could have shown (an order of two actions needs the second one
to occur). Habits that a run can only have by going on for longer are measured in a way that length does not
change: clauses of SQL on the last query only, and `stretch` on the first calls that all attempts at a task
made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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

    @cached_property
    def labels(self) -> list[tuple[str, ...]]:
        """For each call the names it goes by in habits: its own, and the role it plays where that can be
        told; none for a call that only ends the run or could not be read."""
        return [_labels(name, features) for name, features in zip(self.names, self.features, strict=True)]


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


def _labels(name: str, features: Sequence[str]) -> tuple[str, ...]:
    if name in UNREADABLE or FINISHES.match(name):
        return ()
    return (name, *(label for label in ROLES if label in features))


def habit_table(runs: Sequence[RunActions], stretch: Sequence[int] | None = None) -> HabitTable:
    """Habits of all runs that enough of them have and lack.

    `stretch` limits each run to its first so many calls; only `does` and `starts` habits are formed then.
    """
    runs = _told_by_options(runs)
    if stretch is not None:
        return _single_habits(runs, stretch, need=1)
    need = max(MIN_RUNS, int(MIN_SHARE * len(runs)))
    single = _single_habits(runs, None, need)
    orders = _orders(runs, need)
    habits = single.habits + orders.habits
    has = np.concatenate([single.has, orders.has], axis=1)
    counted = np.concatenate([single.counted, orders.counted], axis=1)
    lacking = (counted & ~has).sum(axis=0) >= need
    kept = np.flatnonzero(lacking & _first_of_equals(habits, has, counted))
    kept = np.array(sorted(kept, key=lambda column: habits[column]), dtype=np.int64)
    return HabitTable([habits[column] for column in kept], has[:, kept], counted[:, kept])


def _single_habits(runs: Sequence[RunActions], stretch: Sequence[int] | None, need: int) -> HabitTable:
    """Habits about one action or feature."""
    rows = [_habits_of(run, None if stretch is None else stretch[index]) for index, run in enumerate(runs)]
    yes = Counter(habit for row in rows for habit, value in row.items() if value)
    habits = sorted(habit for habit, n in yes.items() if n >= need)
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
            if columns.any():
                counted[number, columns] = bool(answering_calls(runs[number], kind))
        for habit, value in row.items():
            column = index_of.get(habit)
            if column is not None:
                counted[number, column] = True
                has[number, column] = value
    return HabitTable(habits, has, counted)


def _orders(runs: Sequence[RunActions], need: int) -> HabitTable:
    """Habits about two actions: one before the first, or after the last, other."""
    labels = _frequent_labels(runs)
    never = np.iinfo(np.int32).max
    first = np.full((len(runs), len(labels)), never, dtype=np.int32)
    last = np.full((len(runs), len(labels)), -1, dtype=np.int32)
    column_of = {label: column for column, label in enumerate(labels)}
    for number, run in enumerate(runs):
        for position, called in enumerate(run.labels):
            for label in called:
                column = column_of.get(label)
                if column is not None:
                    first[number, column] = min(first[number, column], position)
                    last[number, column] = position
    habits: list[Habit] = []
    has: list[BoolArray] = []
    counted: list[BoolArray] = []
    for one, action in enumerate(labels):
        for two, other in enumerate(labels):
            occurs = first[:, two] < never
            # One call can go by both names: that is no order.
            for kind, apart, done in (
                ("before", first[:, one] != first[:, two], first[:, one] < first[:, two]),
                ("after", last[:, one] != last[:, two], last[:, one] > last[:, two]),
            ):
                shows = occurs & apart & done
                if one != two and shows.sum() >= need:
                    habits.append(Habit("before" if kind == "before" else "after", action, other))
                    has.append(shows)
                    counted.append(occurs & apart)
    shape = (len(runs), len(habits))
    return HabitTable(
        habits,
        np.array(has, dtype=bool).T.reshape(shape),
        np.array(counted, dtype=bool).T.reshape(shape),
    )


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
    told = python.by_options({feature for run in runs for features in run.features for feature in features})
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


def _frequent_labels(runs: Iterable[RunActions]) -> list[str]:
    counts = Counter(label for run in runs for label in {label for called in run.labels for label in called})
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [label for label, _ in ranked[:MAX_ACTIONS]]


def _habits_of(run: RunActions, limit: int | None) -> dict[Habit, bool]:
    """Habits the run has, and those it could have had and has not."""
    found: dict[Habit, bool] = {}
    asked: set[str] = set()
    length = len(run.names) if limit is None else min(limit, len(run.names))
    for position in range(length):
        called = run.labels[position]
        for label in called:
            found[Habit("does", label)] = True
            if limit is None and position > 0 and label not in asked:
                found[Habit("asks", label)] = run.after_user[position]
            asked.add(label)
        if called and run.kinds[position] not in ANSWERING_KINDS:
            for feature in run.features[position]:
                found[Habit("does", feature)] = True
    for label in run.labels[0] if length else ():
        found[Habit("starts", label)] = True
    if limit is None:
        for kind in ANSWERING_KINDS:
            if positions := answering_calls(run, kind):
                features = set(run.features[positions[-1]]) - UNREADABLE - {python.SAVES, python.READS}
                found.update({Habit("answer", feature, kind): True for feature in features})
    return found


def answering_calls(run: RunActions, kind: str) -> list[int]:
    """Positions of the calls that may have given the result, in order: queries that worked and are not a
    look at the schema; programs that worked, those that save something where there are any.
    """
    worked = [p for p in range(len(run.names)) if run.kinds[p] == kind and not run.failed[p]]
    if kind == "sql":
        return [p for p in worked if run.names[p] == "SELECT" and INSPECTS not in run.features[p]]
    return [p for p in worked if python.SAVES in run.features[p]] or worked
