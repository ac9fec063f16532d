import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.consolidation.wording import advice_of, omissions, wording_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Payment amounts do not add up.", "payment amount doesn't add up"),
        ("The column was exceeded", "column exceeds"),
        ("no user '…' found", "No user … found!"),
        ("value(s) out of range <num>", "values out of range {n}"),
    ],
)
def test_inflection_fillers_and_masked_values_make_no_difference(one: str, other: str) -> None:
    assert wording_of(one) == wording_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("payment adds up", "payment does not add up"),
        ("limit 1", "limit 10"),
        ("no such column", "no such table"),
        ("read a_b before c_d", "read c_d before a_b"),
        ("x >= 5", "x <= 5"),
        ("retry on timeout", "retry only on timeout"),
        ("column 'a' is unknown", "column 'b' is unknown"),
    ],
)
def test_negations_constants_order_and_content_words_make_a_difference(one: str, other: str) -> None:
    assert wording_of(one) != wording_of(other)


def test_a_short_phrase_has_no_word_to_spare() -> None:
    assert list(omissions(wording_of("compute total fare"))) == []


def test_negations_and_constants_are_never_left_out() -> None:
    wording = wording_of("payment of amount 300 never matches total price paid")

    shortened = list(omissions(wording))

    assert shortened
    assert all("=300" in words and "not" in words for words in shortened)


def test_never_x_and_negated_x_are_the_same_advice() -> None:
    assert advice_of("never repeat the query", False) == advice_of("repeat the query", True)
    assert advice_of("repeat the query", False) != advice_of("repeat the query", True)


@given(st.text(max_size=200))
def test_any_text_has_a_wording_whose_bounds_are_among_its_words(text: str) -> None:
    wording = wording_of(text)

    assert set(wording.bounds) <= set(wording.words)
    assert all(len(words) < len(wording.words) for words in omissions(wording))
