"""The tests behind contrasts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from t2s_pipeline.analysts.statistical.stratified import adjusted_for_agents, q_values, stratified_test


def arrays(rows):
    stratum, habit, good = zip(*rows, strict=True)
    return np.array(habit, bool), np.array(good, bool), np.array(stratum, np.int64), np.ones(len(rows), bool)


def test_one_stratum_is_fishers_exact_test():
    rows = [(0, True, True)] * 8 + [(0, True, False)] * 2 + [(0, False, True)] * 1 + [(0, False, False)] * 5

    found = stratified_test(*arrays(rows))

    assert found.p_value == pytest.approx(stats.fisher_exact([[8, 2], [1, 5]]).pvalue)
    assert found.difference == pytest.approx(8 / 10 - 1 / 6)


def test_hard_tasks_do_not_make_a_habit_look_bad():
    """Pooled, the habit looks harmful (used on hard tasks); within tasks it helps."""
    easy = [(t, False, True) for t in range(20) for _ in range(4)]
    hard = [(100 + t, habit, habit and i < 1) for t in range(20) for i in range(3) for habit in (True, False)]
    rows = easy + hard

    found = stratified_test(*arrays(rows))

    pooled_with = np.mean([good for _, habit, good in rows if habit])
    pooled_without = np.mean([good for _, habit, good in rows if not habit])
    assert pooled_with < pooled_without
    assert found.z > 3 and found.difference > 0.3


def test_strata_without_both_sides_say_nothing():
    rows = [(t, True, True) for t in range(30)] + [(t + 30, False, False) for t in range(30)]

    assert stratified_test(*arrays(rows)).strata == 0


def test_a_habit_that_only_marks_the_better_agent_vanishes_when_agents_are_taken_out():
    rng = np.random.default_rng(0)
    tasks = np.repeat(np.arange(200), 2)
    agents = np.tile(np.array([0, 1]), 200)
    habit = agents == 1
    habit = np.where(rng.random(400) < 0.05, ~habit, habit)
    good = rng.random(400) < np.where(agents == 1, 0.9, 0.4)
    everyone = np.ones(400, bool)

    pooled = stratified_test(habit, good, tasks, everyone)
    left = adjusted_for_agents(habit, good, tasks, agents, everyone)

    assert pooled.z > 5
    assert abs(left.z) < 3 and abs(left.difference) < 0.3


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_order_does_not_matter_and_p_is_a_probability(rows):
    """Law: a test is a function of the set of runs."""
    forward, backward = stratified_test(*arrays(rows)), stratified_test(*arrays(rows[::-1]))

    assert 0.0 <= forward.p_value <= 1.0
    assert forward.p_value == pytest.approx(backward.p_value)
    assert -1.0 <= forward.difference <= 1.0


@given(st.lists(st.floats(0, 1), max_size=30))
def test_corrected_values_are_never_smaller(p_values):
    """Law: correction for many tests only ever weakens a claim."""
    assert all(q >= p - 1e-12 for p, q in zip(p_values, q_values(p_values), strict=True))
