"""Refusals, and what put them right."""

from __future__ import annotations

from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.analysts.statistical.repairs import find_repairs, mine_repairs
from t2s_pipeline.analysts.statistical.repeats import mine_repeats
from t2s_pipeline_tests.builders import call, run_of, sql, system, user


def headline(lessons):
    text = StatisticalMerger().merge(lessons)
    assert text is not None
    return text.headline


def guessed_column(task):
    return run_of(
        user("total sales?"),
        sql("SELECT amount FROM sales", 'Binder Error: Referenced column "amount" not found', failed=True),
        sql("DESCRIBE sales", "total_cents BIGINT"),
        sql("SELECT total_cents FROM sales", "[(5,)]"),
        task_id=task,
        trace_id=f"t-{task}",
    )


def test_a_guessed_name_is_traced_to_where_the_right_one_was_shown():
    lessons = [lesson for task in "ab" for lesson in mine_repairs(guessed_column(task))]

    text = StatisticalMerger().merge(lessons)
    assert text is not None
    assert text.headline == "Take names from the output of `DESCRIBE`; do not guess them."
    assert 'fails with “Binder Error: Referenced column "amount" not found”' in text.detail


def test_the_lesson_quotes_the_refusal_and_the_call_that_worked():
    lesson = mine_repairs(guessed_column("a"))[0]

    assert lesson.kind == "repair"
    assert [evidence.quote for evidence in lesson.evidence] == [
        'Binder Error: Referenced column "amount" not found',
        "SELECT total_cents FROM sales",
    ]
    assert (lesson.evidence[0].first_step, lesson.evidence[0].last_step) == (2, 4)


def test_a_wrong_kind_of_value_is_named_with_the_kind_that_worked():
    def paid(number):
        refused = "Error: certificate cannot be used to update reservation"
        return run_of(
            call("get_user", {"id": "u"}, f"credit_card_{number}, certificate_{number}"),
            call("update", {"id": "R1", "payment_id": f"certificate_{number}"}, refused),
            call("update", {"id": "R1", "payment_id": f"credit_card_{number}"}, "done"),
        )

    lessons = [lesson for number in (11, 22, 33) for lesson in mine_repairs(paid(number))]

    assert "pass `credit_card_…` as `payment_id` instead of `certificate_…`" in headline(lessons)


def test_a_call_that_works_unchanged_after_another_teaches_to_make_that_one_first():
    def edited(path):
        return run_of(
            call(
                "edit",
                {"path": path, "text": "x"},
                "<tool_use_error>File has not been read yet.</tool_use_error>",
            ),
            call("read", {"path": path}, "old"),
            call("edit", {"path": path, "text": "x"}, "edited"),
        )

    lessons = [lesson for path in ("a.py", "b.py") for lesson in mine_repairs(edited(path))]

    assert headline(lessons).startswith("Call `read` before `edit`")


def test_the_gap_between_two_numbers_is_explained_by_the_arguments():
    def booked(total, paid, passengers, bags):
        people = [{"name": f"P{i}"} for i in range(passengers)]
        arguments = {"passengers": people, "bags": bags, "payments": [{"amount": paid}]}
        refused = f"Error: payment does not add up, total price is {total}, but paid {paid}"
        return run_of(
            system("Each extra bag is 50 dollars. Insurance is 30 dollars per passenger."),
            call("book", arguments, refused),
            call("book", {**arguments, "payments": [{"amount": total}]}, "booked"),
        )

    lessons = mine_repairs(booked(900, 300, 3, 0)) + mine_repairs(booked(350, 300, 1, 1))

    assert "times the number of `passengers`" in headline(lessons)
    assert "plus 50 for each of `bags`" in headline(lessons)


def test_a_refusal_that_was_never_put_right_says_so():
    def refused(number):
        return run_of(call("cancel", {"id": f"R{number}"}, "Error: flight has already departed"))

    lessons = [lesson for number in (1, 2) for lesson in mine_repairs(refused(number))]

    assert "no retry got through" in headline(lessons)


def test_a_look_at_the_data_is_not_the_fix():
    code = "frame = read_csv('a.csv')\nprint({})"
    run = run_of(
        call("run_python", {"code": code.format("frame['Total'].sum()")}, "KeyError: 'Total'", failed=True),
        call("run_python", {"code": code.format("frame.columns")}, "['total_amount']"),
        call("run_python", {"code": code.format("frame['total_amount'].sum()")}, "7"),
    )

    (lesson,) = mine_repairs(run)

    assert lesson.do == "Take names from what earlier code printed; do not guess them."
    assert "total_amount" in lesson.evidence[-1].quote


def test_commands_that_only_begin_in_the_same_folder_are_not_one_attempt():
    run = run_of(
        call("bash", {"command": "cd /srv/project/source && make all"}, "make: no rule", failed=True),
        call("bash", {"command": "cd /srv/project/source && grep -n rule Makefile"}, "rule"),
    )

    assert find_repairs(run)[0].worked is None


def test_a_name_that_is_only_part_of_the_code_a_message_cites_was_not_refused():
    query = "SELECT price FROM {} WHERE price > 3"
    refused = "You have an error in your SQL syntax near 'price FROM table WHERE price > 3' at line 1"
    run = run_of(
        sql(query.format("table"), refused, failed=True),
        sql("DESCRIBE goods", "cost INT"),
        sql("SELECT cost FROM goods WHERE cost > 3"),
    )

    changes = find_repairs(run)[0].changes

    assert changes and not any(change.named for change in changes)


def test_a_message_that_says_nothing_gives_no_rule():
    lessons = mine_repairs(run_of(call("go", {"id": "1"}, "Error: failed")))

    assert StatisticalMerger().merge(lessons) is None


def test_another_program_is_named():
    def ran(script):
        return run_of(
            call("bash", {"command": f"python {script}"}, "bash: python: command not found", failed=True),
            call("bash", {"command": f"python3 {script}"}, "fine"),
        )

    lessons = [lesson for script in ("a.py", "b.py", "c.py") for lesson in mine_repairs(ran(script))]

    assert headline(lessons).startswith("Use `python3` instead of `python`")


def test_identical_neighbouring_calls_with_the_same_result_are_repeats():
    run = run_of(sql("SELECT 1"), sql("SELECT 1"), sql("SELECT 1"), sql("SELECT 2"))

    lessons = mine_repeats(run)

    assert [lesson.facts["count"] for lesson in lessons] == [2]
    assert lessons[0].kind == "prune"


def test_a_call_made_again_after_something_else_is_not_a_repeat():
    run = run_of(sql("SELECT 1"), sql("UPDATE t SET a = 1"), sql("SELECT 1"))

    assert mine_repeats(run) == []


def test_the_same_call_with_another_result_is_not_a_repeat():
    run = run_of(sql("SELECT 1", "[(1,)]"), sql("SELECT 1", "[(2,)]"))

    assert mine_repeats(run) == []
