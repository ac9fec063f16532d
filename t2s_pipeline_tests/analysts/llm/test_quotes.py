from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.analysts.llm.quotes import find_quote, says_something
from t2s_pipeline.traces.record import quotable_texts
from t2s_pipeline_tests.analysts.llm.records import REFUSED, booking_steps, case_with
from t2s_pipeline_tests.builders import call

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(st.lists(texts, min_size=1, max_size=5), texts)
def test_what_is_found_is_always_verbatim_in_the_step_it_is_found_in(results: list[str], quote: str) -> None:
    case = case_with(*(call("look", {}, result) for result in results))

    found = find_quote(case, 1, len(results), quote)

    if any(quote in result for result in results):
        assert found is not None
    if found is not None:
        step = case.step(found.step)
        assert step is not None
        assert any(found.quote in text for text in quotable_texts(dict(step)))


def test_a_quote_is_found_only_in_the_steps_that_are_named() -> None:
    case = case_with(*booking_steps())

    assert find_quote(case, 4, 4, REFUSED) is not None
    assert find_quote(case, 5, 6, REFUSED) is None


@pytest.mark.parametrize(
    "quote",
    [
        "SELECT name FROM people WHERE age > 3",
        '"SELECT name\n  FROM people',
        "SELECT name …",
        "SELECT   name FROM people...",
    ],
    ids=["line breaks lost", "wrapped in quotation marks", "cut short", "more spaces"],
)
def test_other_white_space_and_wrapping_is_forgiven_and_the_trace_s_own_text_given_back(quote: str) -> None:
    query = "SELECT name\n  FROM people\n  WHERE age > 3"
    case = case_with(call("run", {"query": query}))

    found = find_quote(case, 1, 1, quote)

    assert found is not None
    assert found.quote in query


def test_another_word_is_not_forgiven() -> None:
    case = case_with(call("run", {"query": "SELECT name FROM people"}))

    assert find_quote(case, 1, 1, "SELECT names FROM people") is None


def test_the_instructions_of_the_agent_are_no_evidence_of_what_it_did() -> None:
    case = case_with(*booking_steps())

    assert find_quote(case, 1, 6, "Follow the policy of the airline") is None


@pytest.mark.parametrize(
    ("quote", "enough"), [("", False), ("the", False), ("... -- ...", False), ("booked it", True)]
)
def test_a_quote_must_be_long_enough_to_show_something(quote: str, enough: bool) -> None:
    assert says_something(quote) is enough
