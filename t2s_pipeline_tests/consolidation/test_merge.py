from pathlib import Path

import pytest

from t2s_pipeline.analysts.lesson import Lesson, RuleText
from t2s_pipeline.consolidation.merge import Effort, spread, typical_words, words_for
from t2s_pipeline.consolidation.nodes import NodeFiles, NodesInMemory
from t2s_pipeline.consolidation.support import count_support
from t2s_pipeline.errors import BudgetExceeded
from t2s_pipeline_tests.consolidation.builders import CostlyMerger, RaisingMerger, lesson, worded


def sorted_lessons(*lessons: Lesson) -> list[Lesson]:
    return sorted(lessons, key=lambda one: one.lesson_id)


def test_an_answer_is_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    group = sorted_lessons(worded(1), worded(2))
    merger = CostlyMerger()

    (first,) = words_for([(group, count_support(group))], merger, NodeFiles(tmp_path))
    (again,) = words_for([(group, count_support(group))], merger, NodeFiles(tmp_path))

    assert (first.text, first.node) == (again.text, again.node)
    assert (first.effort, again.effort) == (Effort(asked=1), Effort(kept=1))


def test_another_version_of_the_engine_is_asked_anew() -> None:
    group, nodes = [worded(1)], NodesInMemory()
    words_for([(group, count_support(group))], CostlyMerger(), nodes)

    (again,) = words_for([(group, count_support(group))], CostlyMerger(version="2"), nodes)

    assert again.effort == Effort(asked=1)


def test_a_damaged_answer_is_asked_for_again(tmp_path: Path) -> None:
    group = [worded(1)]
    words_for([(group, count_support(group))], CostlyMerger(), NodeFiles(tmp_path))
    (kept,) = tmp_path.rglob("*.json")
    kept.write_bytes(b'{"headline": 1')

    (answer,) = words_for([(group, count_support(group))], CostlyMerger(), NodeFiles(tmp_path))

    assert answer.text == RuleText(headline="Compute the total first.", detail="1")
    assert answer.effort == Effort(asked=1)
    assert kept.read_bytes().startswith(b'{"headline":"Compute')


def test_what_code_worded_is_read_whole_and_never_kept(tmp_path: Path) -> None:
    group, merger = sorted_lessons(*(lesson(trace) for trace in range(20))), CostlyMerger()

    words_for([(group, count_support(group))], merger, NodeFiles(tmp_path))

    assert merger.merges == [20]
    assert not list(tmp_path.iterdir())


def test_a_failed_merge_is_tried_once_more() -> None:
    group = [worded(1)]

    (answer,) = words_for([(group, count_support(group))], CostlyMerger(failures=1), NodesInMemory())

    assert answer.text == RuleText(headline="Compute the total first.", detail="1")
    assert answer.effort == Effort(asked=2)


def test_a_merge_that_fails_twice_leaves_the_most_typical_words_and_is_asked_again_next_time() -> None:
    group, nodes, merger = [worded(1)], NodesInMemory(), CostlyMerger(failures=2)

    (answer,) = words_for([(group, count_support(group))], merger, nodes)
    (later,) = words_for([(group, count_support(group))], merger, nodes)

    assert answer.text == typical_words(group)
    assert answer.effort == Effort(asked=2, fallbacks=1)
    assert later.effort == Effort(asked=1)


def test_an_engine_out_of_budget_is_not_asked_twice() -> None:
    group, merger = [lesson(1)], RaisingMerger(BudgetExceeded("nothing left"))

    (answer,) = words_for([(group, count_support(group))], merger, NodesInMemory())

    assert answer.text == typical_words(group)
    assert answer.effort == Effort(asked=1, fallbacks=1)


def test_a_mistake_in_an_engine_is_not_taken_for_a_failed_call() -> None:
    group, merger = [lesson(1)], RaisingMerger(KeyError("facts"))

    with pytest.raises(KeyError):
        words_for([(group, count_support(group))], merger, NodesInMemory())


def test_a_large_group_is_read_as_a_sample_from_as_many_tasks_as_possible() -> None:
    group = [lesson(trace, task=f"task-{trace % 5}") for trace in range(40)]

    sample = spread(group, 5)

    assert {one.task_id for one in sample} == {f"task-{number}" for number in range(5)}
    assert sample == spread(group[::-1], 5)


def test_few_of_many_new_lessons_change_what_an_engine_reads() -> None:
    group = [lesson(trace, task=f"task-{trace}") for trace in range(400)]

    samples = {tuple(one.lesson_id for one in spread(group[: 200 + more], 16)) for more in range(200)}

    assert len(samples) < 50


def test_the_most_typical_words_are_those_nearest_to_the_others() -> None:
    common = [lesson(trace, do="Compute the total before you pay.") for trace in range(3)]
    odd = lesson(9, do="Call a friend!")

    assert "Compute the total" in typical_words([odd, *common]).headline
