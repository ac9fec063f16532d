import pytest

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.admission import Needed, admit
from t2s_pipeline.consolidation.support import count_support
from t2s_pipeline_tests.consolidation.builders import lesson


def place(*lessons: Lesson, min_tasks: int = 2) -> tuple[str, str]:
    return admit(lessons, count_support(lessons), Needed(min_tasks))


def test_two_tasks_make_a_rule() -> None:
    assert place(lesson(1, task="a"), lesson(2, task="b")) == ("skill", "2 tasks")


def test_one_task_waits_however_often_it_was_tried() -> None:
    many = [lesson(trace, outcome="success") for trace in range(20)]

    assert place(*many) == ("candidate", "one task only")


def test_a_fix_that_passed_the_verifier_needs_no_second_task() -> None:
    assert place(lesson(1, verified=True))[0] == "skill"


def test_a_task_that_never_got_past_it_makes_a_reference() -> None:
    stuck = [lesson(trace) for trace in range(3)]

    assert place(*stuck) == ("reference", "one task only, but severe")
    assert place(*stuck, lesson(4, outcome="success"))[0] == "candidate"
    assert place(*stuck[:2])[0] == "candidate"


def test_what_an_analyst_marks_severe_makes_a_reference() -> None:
    assert place(lesson(1, kind="prune", facts={"severe": True}))[0] == "reference"


@pytest.mark.parametrize(("tasks", "placement"), [(2, "candidate"), (3, "skill")])
def test_the_number_of_tasks_is_configurable(tasks: int, placement: str) -> None:
    lessons = [lesson(task, task=str(task), outcome="success") for task in range(tasks)]

    assert place(*lessons, min_tasks=3)[0] == placement


def test_a_rule_needs_as_many_files_as_the_operator_asks_for() -> None:
    lessons = [lesson(1, task="a"), lesson(2, task="b"), lesson(3, task="c")]
    one = {one.trace_id: "inbox/x/a.jsonl" for one in lessons}
    two = {**one, lessons[2].trace_id: "inbox/x/b.jsonl"}

    found = [
        admit(lessons, count_support(lessons), Needed(2, sources, files))
        for sources, files in ((1, one), (2, one), (2, two), (3, {}))
    ]

    assert found == [
        ("skill", "3 tasks"),
        ("candidate", "3 tasks, from 1 of 2 sources needed"),
        ("skill", "3 tasks"),
        ("skill", "3 tasks"),
    ]


def test_one_file_is_not_enough_for_a_reference_either_but_for_a_fix_that_passed_the_verifier() -> None:
    stuck = [lesson(trace) for trace in range(3)]
    fixed = [lesson(1, verified=True)]
    needed = Needed(2, 2, {one.trace_id: "inbox/x/a.jsonl" for one in (*stuck, *fixed)})

    places = [admit(lessons, count_support(lessons), needed)[0] for lessons in (stuck, fixed)]

    assert places == ["candidate", "skill"]


def test_tasks_that_only_old_traces_show_stop_counting() -> None:
    lessons = [lesson(1, task="a"), lesson(2, task="b"), lesson(3, task="c")]
    first, second, _ = (one.trace_id for one in lessons)
    weights = {first: 0.25, second: 0.5}

    aged = admit(lessons[:2], count_support(lessons[:2]), Needed(2, weight_of=weights))
    with_one_of_unknown_age = admit(lessons, count_support(lessons), Needed(2, weight_of=weights))

    assert aged == ("candidate", "2 tasks, so long ago that they count as 0.8")
    assert with_one_of_unknown_age == ("skill", "3 tasks")


def test_a_task_counts_as_much_as_its_newest_trace() -> None:
    lessons = [lesson(1, task="a"), lesson(2, task="a"), lesson(3, task="b")]
    weights = dict(zip((one.trace_id for one in lessons), (0.1, 0.6, 0.4), strict=True))

    assert admit(lessons, count_support(lessons), Needed(2, weight_of=weights))[0] == "skill"
