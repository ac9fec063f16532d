"""The words of rules about refused and repeated calls."""

from __future__ import annotations

from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.analysts.statistical.repairs import mine_repairs
from t2s_pipeline.analysts.statistical.repeats import mine_repeats
from t2s_pipeline_tests.builders import call, run_of, sql


def headline(lessons):
    text = StatisticalMerger().merge(lessons)
    assert text is not None
    return text.headline


def failing_code(old, new, error, runs=3, tool="run_python", key="code"):
    """Lessons of runs that replaced one piece of code by another after an error."""
    return [
        lesson
        for number in range(runs)
        for lesson in mine_repairs(
            run_of(
                call(tool, {key: f"start({number})\n{old}"}, error, failed=True),
                call(tool, {key: f"start({number})\n{new}"}, "done"),
                task_id=f"task-{number}",
                trace_id=f"t-{number}",
            )
        )
    ]


def test_calls_that_most_runs_put_into_the_failing_line_are_the_advice():
    lessons = failing_code(
        "total += cell.value",
        'total += float(str(cell.value).replace(",", ""))',
        "TypeError: unsupported operand type(s) for +=: 'int' and 'str'",
    )

    text = StatisticalMerger().merge(lessons)

    assert text is not None
    assert text.headline.endswith("'int' and 'str'”, use `float()`, `str()` and `.replace()`.")
    assert text.detail == (
        "For example `total += cell.value` failed and "
        '`total += float(str(cell.value).replace(",", ""))` worked.'
    )


def test_a_fix_without_a_name_is_shown():
    lessons = failing_code("last = row[9]", "last = row[8]", "IndexError: tuple index out of range")

    text = StatisticalMerger().merge(lessons)

    assert text is not None
    assert text.headline == (
        "When the code fails with “IndexError: tuple index out of range”, correct the piece it is about."
    )
    assert text.detail == "For example `last = row[9]` failed and `last = row[8]` worked."


def test_an_example_may_hold_backticks():
    lessons = failing_code(
        "SELECT a FROM show", "SELECT a FROM `show`", "Error: bad name", tool="run_sql", key="query"
    )

    text = StatisticalMerger().merge(lessons)

    assert text is not None
    assert "`FROM show` failed and `` FROM `show` `` worked" in text.detail


def twice(first, *between, tool="bash", error="failed: exit 1 in checks"):
    """Lessons of runs in which a call failed and worked unchanged after something else."""
    return [
        lesson
        for number in range(6)
        for lesson in mine_repairs(
            run_of(
                call(tool, first, error, failed=True),
                *between,
                call(tool, first, "fine"),
                task_id=f"task-{number}",
                trace_id=f"t-{number}",
            )
        )
    ]


def test_a_command_that_sets_up_what_another_needs_is_told():
    install = call("bash", {"command": "pip install pyyaml"}, "installed")

    lessons = twice({"command": "python go.py"}, install, error="ModuleNotFoundError: No module named 'yaml'")

    assert headline(lessons) == "Run `pip install` first where it is needed."


def test_the_work_that_makes_tests_pass_is_no_rule():
    edit = call("edit", {"path": "a.py", "text": "x"}, "edited")

    lessons = twice({"command": "pytest -q"}, edit, error="assertion failed in test_total")

    assert StatisticalMerger().merge(lessons) is None


def test_a_call_that_works_later_unchanged_is_worth_another_try():
    lessons = twice({"page": 1}, tool="fetch", error="Error: rate limit exceeded, retry in a moment")

    assert headline(lessons).endswith("try the same call again later: it got through unchanged.")


def added_argument(error):
    return [
        lesson
        for number in range(3)
        for lesson in mine_repairs(
            run_of(
                call("edit", {"path": f"{number}.py", "text": "x"}, error),
                call("edit", {"path": f"{number}.py", "text": "x", "all": True}, "edited"),
            )
        )
    ]


def test_an_argument_is_required_always_or_only_after_a_refusal():
    assert headline(added_argument("Error: missing field: all")) == "Give `edit` its `all`."
    assert headline(added_argument("Error: Several places match this text")).endswith(", add `all`.")


def test_the_name_of_a_tool_keeps_its_capital():
    def edited(path):
        return run_of(
            call("Edit", {"path": path, "old": f"one line of {path}"}, "Error: text not found in the file"),
            call("Read", {"path": path}, f"some line of {path}"),
            call("Edit", {"path": path, "old": f"some line of {path}"}, "edited"),
        )

    text = StatisticalMerger().merge([lesson for path in ("a", "b") for lesson in mine_repairs(edited(path))])

    assert text is not None
    assert text.detail.startswith("The output of `Read` shows what there is.")


def test_code_that_worked_when_only_its_white_space_was_changed_says_so():
    lessons = failing_code("if x:\nreturn 1", "if x:\n    return 1", "IndentationError: expected a block")

    assert "check indentation and line breaks" in headline(lessons)


def test_the_advice_is_never_cut_off_by_the_messages_it_is_for():
    one = failing_code("a = b", "a = int(b)", f"TypeError: cannot add {'left ' * 18}")
    two = failing_code("a = b", "a = int(b)", f"TypeError: cannot add {'right ' * 17}", runs=4)

    text = StatisticalMerger().merge(one + two)

    assert text is not None
    assert len(text.headline) <= 220
    assert text.headline.endswith("use `int()`.")
    assert "The same with “TypeError: cannot add left" in text.detail


def test_a_value_in_another_form_is_an_example():
    def answered(number):
        refused = f"Error: value must be a plain number, got '{number} EUR'"
        return run_of(
            call("answer", {"value": f"{number} EUR"}, refused), call("answer", {"value": f"{number}"}, "ok")
        )

    lessons = [lesson for number in (7, 7, 9) for lesson in mine_repairs(answered(number))]

    text = StatisticalMerger().merge(lessons)
    assert text is not None
    assert text.detail == "For example `7 EUR` was refused and `7` worked."


def replaced(number):
    """A run whose edit was refused, and worked with other texts after it had looked at the file."""
    old, new = f"alpha {number}\nbeta", f"gamma {number}\nbeta"
    path = {"path": f"{number}.py"}
    return run_of(
        call("edit", {**path, "new_str": f"x{new}", "old_str": f"x{old}"}, "Error: old_str did not appear"),
        call("view", path, "a file"),
        call("edit", {**path, "new_str": new, "old_str": old}, "edited"),
    )


def test_the_argument_that_the_message_names_is_the_one_to_correct():
    lessons = [lesson for number in (1, 2, 3) for lesson in mine_repairs(replaced(number))]

    text = StatisticalMerger().merge(lessons)

    assert text is not None
    assert text.headline.endswith("did not appear”, correct `old_str`.")
    assert text.detail == "The runs that got through mostly called `view` in between."


def test_a_refusal_that_says_what_it_wants_is_to_be_followed():
    def refused(number):
        return run_of(call("edit", {"path": f"{number}.txt"}, "Error: `text` is required for this command."))

    lessons = [lesson for number in (1, 2) for lesson in mine_repairs(refused(number))]

    assert "do as it says first: no retry got through" in headline(lessons)


def looping(number, after):
    return run_of(
        sql("SELECT 1"),
        sql("SELECT 1"),
        sql(after),
        task_id=f"task-{number}",
        trace_id=f"t-{number}",
    )


def repeat_detail(*after):
    lessons = [lesson for n, query in enumerate(after) for lesson in mine_repeats(looping(n, query))]
    text = StatisticalMerger().merge(lessons)
    assert text is not None
    return text.detail


def test_what_many_runs_did_to_leave_a_loop_is_told():
    assert repeat_detail(*["SELECT 1 LIMIT 3"] * 3).endswith(
        "Many of the runs that still succeeded then added `LIMIT`."
    )


def test_what_few_runs_did_to_leave_a_loop_is_not_told():
    others = ["SELECT 1 LIMIT 3", "SELECT DISTINCT 1", "SELECT 1 ORDER BY 1", "SELECT 1 GROUP BY 1"]

    assert "still succeeded" not in repeat_detail(*others)


def test_the_fix_is_quoted_as_evidence():
    lesson = failing_code("last = row[9]", "last = row[8]", "IndexError: tuple index out of range")[0]

    assert lesson.evidence[-1].quote == "last = row[8]"
