"""The words of rules about habits."""

from __future__ import annotations

from t2s_pipeline.analysts.statistical.contrast_text import contrast_text


def fact(kind, action, other="", **more):
    return {
        "family": "success",
        "habit": {"kind": kind, "action": action, "other": other},
        "harmful": False,
        "rate_with": 0.9,
        "rate_without": 0.2,
        **more,
    }


def test_one_thing_to_do_before_two_actions_is_one_rule():
    first = fact("before", "inspect", "load()", family="works")
    second = fact("before", "inspect", "read", family="works", rate_with=1.0)

    text = contrast_text([first, second, second])

    assert text.headline == "Call `inspect` before the first `read` or `load()`."
    assert text.detail == (
        "The first `read` worked in 100% of the runs that did this and in 20% of the runs of the same tasks "
        "that did not; the first `load()` in 90% of the runs that did this and in 20% of the runs of the "
        "same tasks that did not."
    )
    assert contrast_text([first]).advice == contrast_text([second]).advice != ""


def test_a_clause_says_over_which_table_it_matters():
    everywhere = [fact("answer", "a filter on `status`", "sql", tables=["orders", f"t{n}"]) for n in range(9)]
    without = fact("answer", "a filter on `status`", "sql", tables=["orders"])

    text = contrast_text([*everywhere, without])

    assert text.headline == "In a query over `orders` that gives the answer, use a filter on `status`."


def test_a_clause_of_queries_over_different_tables_says_none():
    text = contrast_text([fact("answer", "DISTINCT", "sql", tables=[f"t{n}"]) for n in range(5)])

    assert text.headline == "In the query that gives the answer, use `DISTINCT`."


def test_a_check_is_an_instruction_with_the_line_that_makes_it():
    text = contrast_text([fact("answer", "a check for `Total`", "python", example='if row[0] == "Total":')])

    assert text.headline == "In the program that gives the result, check for `Total`."
    assert text.detail == 'For example `if row[0] == "Total":`.'
