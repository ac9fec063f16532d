from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.analysts.llm.case import Case, arguments_text
from t2s_pipeline.analysts.llm.view import steps_in_full, view_of
from t2s_pipeline.traces.record import quotable_texts
from t2s_pipeline_tests.analysts.llm.records import REFUSED, booking_steps, case_with
from t2s_pipeline_tests.builders import call, system, user

LONG = "a long answer that goes on and on " * 400

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3_000)
steps = st.one_of(
    texts.map(user),
    texts.map(system),
    st.builds(lambda a, b: call("look", {"at": a}, b), texts, texts),
    st.builds(lambda a: call("book", {"seat": a}, REFUSED), texts),
)


def long_case() -> Case:
    """Sixty steps, one refusal in the middle, results of 14 KB."""
    quiet = [call("look", {"page": page}, f"{page} {LONG}") for page in range(30)]
    refused = [call("book", {"amount": 1}, f"{REFUSED}\n{LONG}"), call("book", {"amount": 2}, "booked it")]
    return case_with(system(LONG), user("Book me a seat."), *quiet, *refused, *quiet)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=1, max_size=12), st.integers(500, 4_000))
def test_a_view_stays_within_its_budget_and_its_marks(of_steps: list[dict[str, object]], tokens: int) -> None:
    case = case_with(*of_steps)

    view = view_of(case, tokens)

    assert view.tokens <= tokens * 1.1 + 600  # card, headings and marks of omission come on top


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=1, max_size=6))
def test_all_text_of_a_small_trace_is_shown_verbatim(of_steps: list[dict[str, object]]) -> None:
    case = case_with(*of_steps)

    text = view_of(case, 100_000).text

    for step in case.steps:
        if step["source"] == "agent":
            for said in quotable_texts(dict(step)):
                assert not said.strip() or said in text


def test_a_refusal_and_what_put_it_right_are_shown_when_the_rest_is_not() -> None:
    case = long_case()

    view = view_of(case, 1_500)

    assert REFUSED in view.text
    assert "booked it" in view.text
    assert "Book me a seat." in view.text
    assert view.tokens < 0.1 * view.trace_tokens


def test_what_is_left_out_is_marked() -> None:
    view = view_of(long_case(), 1_500).text

    assert re.search(r"\[[\d,]+ characters left out\]", view)


def test_steps_of_which_nothing_is_shown_become_one_line() -> None:
    case = case_with(user("go"), *(call("look", {"page": n}, LONG) for n in range(400)))

    view = view_of(case, 600).text

    assert re.search(r"\[steps \d+ to \d+ left out: look \d+\]", view)


def test_a_text_that_was_shown_before_is_referred_to() -> None:
    page = "the same page of offers, " * 10
    case = case_with(call("look", {}, page), call("look", {}, page))

    view = view_of(case, 50_000).text

    assert view.count(page) == 1
    assert "[the same text as in step 1]" in view


def test_the_card_comes_first_and_names_failures_and_repeats() -> None:
    same = call("look", {"page": 1}, "nothing there")

    view = view_of(case_with(*booking_steps(), same, same, same), 8_000).text

    head = view.split("--- step", 1)[0]
    assert "Failed: step 4 book: the payment does not add up" in head
    assert "worked in step 5" in head
    assert "Repeated: steps 7 to 9, look 3 times" in head


def test_nothing_of_the_outcome_is_in_the_view() -> None:
    case = case_with(*booking_steps(), outcome="failure")

    view = view_of(case, 8_000).text

    assert "0.125" not in view  # the reward
    assert "failure" not in view
    assert "task-7" not in view


def test_arguments_are_shown_as_they_are_and_not_escaped() -> None:
    shown = arguments_text(
        {"query": 'SELECT "a"\nFROM t', "options": {"limit": 3, "by": ["x", "y"]}, "no": []}
    )

    assert shown == 'query: SELECT "a"\nFROM t\noptions.limit: 3\noptions.by[0]: x\noptions.by[1]: y\nno: []'


def test_reading_steps_shows_them_in_full_within_a_bound() -> None:
    case = long_case()

    shown = steps_in_full(case, 33, 34, 100_000)

    assert LONG in shown
    assert "--- step 33, agent" in shown
    assert "--- step 35" not in shown
    assert len(steps_in_full(case, 1, 62, 4_000)) < 12_000


@pytest.mark.parametrize(("first", "last"), [(0, 0), (99, 120), (5, 2)])
def test_reading_steps_that_do_not_exist_says_so(first: int, last: int) -> None:
    assert "no such steps" in steps_in_full(case_with(*booking_steps()), first, last, 1_000)
