"""What counts as a failed call, and when two failures are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.analysts.statistical.errors import find_error


def error_of(text, kind="other", arguments=None, **extra):
    return find_error(text, extra or None, kind, arguments or {})


@pytest.mark.parametrize(
    "text",
    [
        "Error: payment method not found",
        'Binder Error: Referenced column "amont" not found in FROM clause!',
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\nKeyError: 'Summry'",
        '{"error": "rate limit exceeded"}',
        '{"success": false, "message": "no such order"}',
        "<tool_use_error>File has not been read yet.</tool_use_error>",
        "ValueError: could not convert string to float: 'abc'",
        "HTTP 422: limit must be at most 100",
        "404 Not Found",
        "Unable to find the customer",
    ],
)
def test_an_unmistakable_failure_is_recognised(text):
    error = error_of(text)

    assert error is not None
    assert error.raw in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[(1, 'computer science', 'error', None)]",
        "errors fixed: 3",
        '{"error": null, "rows": 3}',
        '{"status": "ok", "message": "no errors"}',
        "Could not stop thinking about it.\n" + "A story of three hundred letters and more. " * 8,
        "def parse():\n    raise ValueError('bad')\n\n\nparse()\nprint('done')",
        "The report lists failed deliveries by month.",
    ],
)
def test_data_that_mentions_errors_is_not_a_failure(text):
    assert error_of(text) is None


def test_the_producers_mark_decides():
    assert error_of("Error: odd but fine", is_error=False) is None
    assert error_of("anything at all", is_error=True) is not None
    assert error_of("bash: jq: command not found", kind="shell", exit_code=127) is not None


def test_messages_that_differ_in_names_and_numbers_have_one_template():
    first = error_of("Error: flight HAT030 not available on date 2024-05-13")
    second = error_of("Error: flight HAT223 not available on date 2024-05-14")

    assert first is not None and second is not None
    assert first.template == second.template == "flight … not available on date …"


def test_words_echoed_from_the_arguments_are_masked_and_others_stay():
    error = error_of(
        "Worksheet Summry does not exist, ask Admin", arguments={"name": "Summry"}, is_error=True
    )

    assert error is not None
    assert error.shown == "Worksheet … does not exist, ask Admin"


def test_different_refusals_keep_different_templates():
    first = error_of("Error: gift card balance is not enough")
    second = error_of("Error: certificate cannot be used to update reservation")

    assert first is not None and second is not None
    assert first.template != second.template


def test_the_types_that_did_not_fit_tell_two_errors_apart():
    text = "TypeError: unsupported operand type(s) for +: 'int' and '{}'"

    added, missing = (error_of(text.format(kind), "python") for kind in ("str", "NoneType"))

    assert added.template != missing.template
    assert added.shown == text.format("str")


def test_a_name_that_is_also_a_type_is_still_a_name():
    first, second = (error_of(f"Error: Unknown column '{name}' in 'field list'") for name in ("date", "day"))

    assert first.template == second.template


def test_a_short_first_sentence_does_not_say_why():
    error = error_of("Error: Nothing was changed. Several places match this. Be exact.")

    assert error.shown == "Nothing was changed. Several places match this"


def test_a_message_goes_on_after_a_quotation_of_several_lines():
    text = "Error: The text `{}\nsecond line\n` is not in the file {}.\nmore"

    first, second = (
        error_of(text.format(cited, path)) for cited, path in (("one()", "a.py"), ("two(3)", "b/c.py"))
    )

    assert first.template == second.template == "the text `…` is not in the file …"
    assert first.raw in text.format("one()", "a.py")


def test_the_exit_status_above_the_output_is_not_the_message():
    error = error_of("Exit code 2\nmake went wrong somewhere", "shell", is_error=True)

    assert error.raw == "make went wrong somewhere"


def test_a_status_by_another_name_marks_a_failure():
    assert error_of('{"response_status": "Error", "message": "no data for this month"}') is not None


def test_a_piece_of_the_statement_cited_by_the_database_is_masked():
    query = "SELECT a FROM t WHERE (b = 1 ORDER BY a"
    error = error_of(
        "You have an error in your SQL syntax; check the manual near 'ORDER BY a' at line 1",
        kind="sql",
        arguments={"query": query},
        is_error=True,
    )

    assert error is not None
    assert error.shown == "You have an error in your SQL syntax"


@given(st.text(max_size=400), st.sampled_from(["sql", "shell", "python", "other"]), st.booleans())
def test_the_raw_line_is_always_a_piece_of_the_result(text, kind, marked):
    """Law: whatever the text, nothing raises, and a found line can be quoted."""
    error = find_error(text, {"is_error": True} if marked else None, kind, {"a": text[:20]})

    if error is not None and error.raw != "(no output)":
        assert error.raw in text
