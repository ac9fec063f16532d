from t2s_pipeline.consolidation.support import count_support
from t2s_pipeline_tests.consolidation.builders import lesson

EFFECT = {"success_with": 0.8, "success_without": 0.4, "strata": 9, "p_value": 0.001, "q_value": 0.01}


def test_attempts_at_one_task_are_one_task() -> None:
    support = count_support([lesson(1, task="a"), lesson(2, task="a"), lesson(3, task="b")])

    assert (support.traces, support.tasks) == (3, 2)


def test_two_lessons_of_one_trace_are_one_trace() -> None:
    support = count_support([lesson(1, do="x"), lesson(1, do="y", outcome="failure")])

    assert (support.traces, support.failure) == (1, 1)


def test_traces_without_a_task_id_are_jobs_of_their_own() -> None:
    assert count_support([lesson(1, task=None), lesson(2, task=None)]).tasks == 2
    assert count_support([lesson(1, task=None, do="x"), lesson(1, task=None, do="y")]).tasks == 1


def test_a_task_named_like_a_trace_is_not_that_trace() -> None:
    assert count_support([lesson("t-1", task=None), lesson("t-2", task="t-1")]).tasks == 2


def test_unknown_outcomes_are_neither_success_nor_failure() -> None:
    support = count_support(
        [lesson(1, outcome="success"), lesson(2, outcome="unknown"), lesson(3, outcome="partial")]
    )

    assert (support.success, support.failure) == (1, 0)


def test_occurrences_are_summed_and_at_least_one_each() -> None:
    support = count_support([lesson(1, facts={"count": 3}), lesson(2), lesson(3, facts={"count": 0})])

    assert support.occurrences == 5


def test_an_effect_counts_when_all_lessons_agree_on_it() -> None:
    agreed = count_support([lesson(1, facts={"effect": EFFECT}), lesson(2, facts={"effect": EFFECT})])
    split = count_support(
        [lesson(1, facts={"effect": EFFECT}), lesson(2, facts={"effect": {**EFFECT, "strata": 10}})]
    )

    assert agreed.effect is not None and agreed.effect.strata == 9
    assert split.effect is None
