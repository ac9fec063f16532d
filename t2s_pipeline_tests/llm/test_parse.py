from __future__ import annotations

import json
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from t2s_pipeline.llm.parse import Unreadable, json_objects, parse_cut_off, parse_reply


class Advice(BaseModel):
    do: str
    step: int


GOOD = '{"do": "look first", "step": 3}'

strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | strings,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(strings, values, max_size=4)
prose = st.text(st.characters(exclude_characters="{}<", exclude_categories=["Cs"]), max_size=60)


@given(objects, prose, prose)
def test_an_object_is_found_in_any_prose_around_it(value: dict[str, Any], before: str, after: str) -> None:
    text = before + json.dumps(value) + after

    found = [item for item, _ in json_objects(text)]

    assert found == [value]


@given(st.text(max_size=300))
def test_no_text_makes_reading_crash(text: str) -> None:
    try:
        parse_reply(text, Advice)
    except Unreadable as error:
        assert str(error)


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"Sure, here you are: {GOOD} Anything else?",
        f'<think>Perhaps {{"do": "no", "step": 1}}?</think>\n{GOOD}',
        '{"do": "look first", "step": 3,}',
        '{"do": "look first", "step": "3"}',
        f'{{"note": 1}} {GOOD}',
    ],
    ids=["fence", "prose", "thoughts", "trailing comma", "number as text", "another object"],
)
def test_what_models_wrap_around_an_object_is_forgiven(text: str) -> None:
    assert parse_reply(text, Advice) == Advice(do="look first", step=3)


def test_raw_line_breaks_inside_strings_are_taken_as_they_are() -> None:
    reply = parse_reply('{"do": "one\ntwo\tthree", "step": 1}', Advice)

    assert reply.do == "one\ntwo\tthree"


def test_a_comma_inside_a_string_stays_when_a_trailing_one_goes() -> None:
    reply = parse_reply('{"do": "first, } then", "step": 1,}', Advice)

    assert reply.do == "first, } then"


def test_a_truncated_object_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="no complete JSON object"):
        parse_reply(GOOD[:-6], Advice)


def test_the_problem_names_the_field() -> None:
    with pytest.raises(Unreadable, match=r"step: .*integer"):
        parse_reply('{"do": "x", "step": "many"}', Advice)


def test_half_a_surrogate_pair_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        parse_reply('{"do": "\\ud800", "step": 1}', Advice)


def test_a_reply_of_nothing_but_open_brackets_is_read_in_linear_time() -> None:
    with pytest.raises(Unreadable):
        parse_reply('{"a":' * 50_000, Advice)


@pytest.mark.parametrize("unit", ["<think>", "<think></think", '\\"', '{"', "{ ,", '{"a":",'])
def test_a_reply_made_to_be_slow_is_read_in_a_moment(unit: str) -> None:
    text = '{"' + unit * (900_000 // len(unit))
    started = monotonic()

    with pytest.raises(Unreadable):
        parse_reply(text, Advice)

    assert monotonic() - started < 10


def test_a_reply_beyond_any_limit_of_tokens_is_not_read() -> None:
    with pytest.raises(Unreadable, match="more than 1,000,000 characters"):
        parse_reply(GOOD + " " * 1_000_000, Advice)


def test_thoughts_before_an_answer_are_left_out_and_one_that_does_not_end_is_not() -> None:
    text = f'<think>{{"do": "no", "step": 1}}</think> {GOOD} <thinking>{{"step": 2'

    assert parse_reply(text, Advice) == Advice(do="look first", step=3)


class Advices(BaseModel):
    lessons: tuple[Advice, ...]


def test_of_a_list_that_was_cut_off_the_complete_objects_can_be_had() -> None:
    text = f'{{"lessons": [{GOOD}, {GOOD}, {{"do": "and th'

    assert parse_cut_off(text, Advices).lessons == (Advice(do="look first", step=3),) * 2


@pytest.mark.parametrize("text", ["", '{"lessons": [{"do": "and', '{"lessons": [{"other": 1}, {"do":'])
def test_a_list_that_was_cut_off_before_anything_was_complete_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_cut_off(text, Advices)


def test_a_reply_that_is_no_list_is_no_use_in_part() -> None:
    with pytest.raises(Unreadable):
        parse_cut_off('{"do": "look first", "step": {"a": 1}', Advice)
