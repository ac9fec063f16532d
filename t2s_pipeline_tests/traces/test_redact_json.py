"""JSON inside of texts: whatever is hidden in it, it parses afterwards, at every depth."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.traces.redact import Redactor
from t2s_pipeline.traces.redaction.boundaries import bare_numbers, within_strings
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.escapes import unescaped

REDACTOR = Redactor(RedactionConfig(), b"x" * 32)
HEADER, FOOTER = "-----BEGIN RSA PRIVATE" + " KEY-----", "-----END RSA PRIVATE" + " KEY-----"
BODY = "MIIE" + "Ab3/Zq9" * 6
DEPTHS = (0, 1, 2, 3)


def nested(text: str, depth: int) -> str:
    """A text in the value of a field, so many times."""
    for _ in range(depth):
        text = json.dumps({"arguments": text})
    return text


def unnested(text: str, depth: int) -> str:
    for _ in range(depth):
        text = json.loads(text)["arguments"]
    return text


def redacted(text: str, depth: int) -> Any:
    """A JSON text as it parses after redaction at some depth."""
    clean, _ = REDACTOR.redact_text(nested(text, depth))
    return json.loads(unnested(clean, depth))


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_key_split_over_the_elements_of_a_list_is_hidden_in_each_of_them(depth: int) -> None:
    text = json.dumps(["cat key", HEADER, BODY, BODY[::-1], FOOTER, "done"])

    clean = redacted(text, depth)

    assert clean == ["cat key", *["<SECRET:private-key:1>"] * 4, "done"]


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_key_that_ends_in_another_field_leaves_names_and_numbers_between(depth: int) -> None:
    text = json.dumps({"a": f"see {HEADER}\n{BODY}", "n": 5, "b": {"c": f"{BODY[::-1]}\n{FOOTER} end"}})

    clean = redacted(text, depth)

    assert clean == {
        "a": "see <SECRET:private-key:1>",
        "n": 5,
        "b": {"c": "<SECRET:private-key:1> end"},
    }


def test_a_header_in_the_name_of_a_field_is_hidden_without_the_colon_after_it() -> None:
    text = json.dumps({HEADER: "text " * 20, "list": ["KEY-----", "more"]})

    clean, _ = REDACTOR.redact_text(text)

    assert json.loads(clean) == {
        "<SECRET:private-key:1>": "<SECRET:private-key:1>",
        "list": ["<SECRET:private-key:1>", "more"],
    }


def test_in_a_text_that_is_no_json_a_key_is_hidden_with_all_that_is_in_it() -> None:
    text = f'echo "{HEADER}" "{BODY}" "{FOOTER}"'

    clean, report = REDACTOR.redact_text(text)

    assert clean == 'echo "<SECRET:private-key:1>"'
    assert report.occurrences == 1


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("number", ["-82736451", "82736451e5"])
def test_a_number_that_is_hidden_becomes_a_string(number: str, depth: int) -> None:
    text = f'{{"user": 7, "password": {number}, "ok": true}}'

    clean = redacted(text, depth)

    assert clean == {"user": 7, "password": "<SECRET:password:1>", "ok": True}


def test_a_number_between_commas_of_a_sentence_gets_no_quotes() -> None:
    card = "4111 1111 1111 1111".replace(" ", "")
    text = json.dumps({"said": f"the card, {card}, was refused"})

    clean, _ = REDACTOR.redact_text(text)

    assert json.loads(clean) == {"said": "the card, <PERSONAL:card:1>, was refused"}


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_escaped_character_before_an_address_is_not_cut(depth: int) -> None:
    text = json.dumps({"mail": "日本anna.example@orbit-mail.org日本"})

    clean = redacted(text, depth)

    assert "orbit-mail" not in clean["mail"]
    assert "<PERSONAL:email:1>" in clean["mail"]


json_texts = st.recursive(
    st.text(alphabet=st.sampled_from('ab"\\\n é日{[,:]}'), max_size=8) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet=st.sampled_from('ab"\\: '), max_size=4), inner, max_size=3)
        | inner.map(json.dumps)
    ),
    max_leaves=8,
).map(lambda value: json.dumps([value, "end"]).encode())


@given(json_texts, st.data())
@settings(max_examples=200, deadline=None)
def test_pieces_are_disjoint_and_lie_in_their_spans(text: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))

    pieces = within_strings(text, spans)

    assert {piece.span for piece in pieces} == set(range(len(spans)))
    for piece in pieces:
        start, end = spans[piece.span]
        assert start <= piece.start < piece.end <= end
    assert all(before.end <= after.start for before, after in pairwise(pieces))


@given(json_texts)
@settings(max_examples=200, deadline=None)
def test_a_view_of_one_level_reads_as_a_parser_does(text: bytes) -> None:
    raw = json.dumps(text.decode())[1:-1].encode()

    view = unescaped(raw)

    assert view.data == text
    assert all(view.offset(view.origin(offset)) == offset for offset in range(len(text) + 1))


def test_a_number_in_json_in_a_string_is_quoted_as_its_names_are() -> None:
    text = rb'{"a": "{\"b\": 12}", "c": 34, "d": "56"}'
    spans = [(text.index(digits), text.index(digits) + 2) for digits in (b"12", b"34", b"56")]

    assert bare_numbers(text, spans) == {spans[0]: rb"\"", spans[1]: b'"'}
