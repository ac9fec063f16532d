from __future__ import annotations

import json
import random
import time
from typing import Any

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from t2s_pipeline.traces.redact import Redactor
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.escapes import decoded
from t2s_pipeline_tests.traces.secret_set import secret_part, secret_samples

REDACTOR = Redactor(RedactionConfig(), b"x" * 32)
SAMPLES = tuple(secret_samples(seed=3, per_kind=2))
PIECES = (
    *(
        "password",
        "api_key",
        "token",
        "=",
        ": ",
        "\\",
        '\\"',
        "\\\\",
        "\\n",
        "\\u0041",
        '"',
        "'",
        "`",
        " ",
        "\n",
    ),
    *(
        "<SECRET:aws-access-key:1>",
        "<SECRET:",
        "<PERSONAL:email:3>",
        ">",
        "://",
        "@",
        "user:pass",
        "a@b.co",
        "é",
    ),
    *(
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        "eyJ",
        "4111 1111 1111 1111",
        "+1 555 123 4567",
        "日本",
        "\x00",
        "{",
    ),
    *(
        "}",
        "[",
        "]",
        ",",
        "is",
        "curl -u ",
        "--",
        "value",
        "name",
        "1" * 16,
        "A" * 40,
        "s.",
        "sk-",
        "\t",
        "|",
        ";",
    ),
    *("&", "0123456789abcdef" * 2, "Zk3", "!", "\ud800", "kind: Secret\ndata:\n", "cookie: sid=", "1.2.3.5"),
)
SECONDS_ALLOWED = 1.0

texts = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.sampled_from([sample.text for sample in SAMPLES]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def shape_of(value: Any) -> Any:
    """A JSON value with every string replaced by its type; numbers may have become strings."""
    if isinstance(value, dict):
        return [shape_of(inner) for inner in value.values()]
    if isinstance(value, list):
        return [shape_of(inner) for inner in value]
    return "text" if isinstance(value, str) or type(value) is int else type(value).__name__


@given(texts)
@settings(max_examples=150, deadline=None)
def test_redacting_twice_changes_nothing(text: str) -> None:
    once, _ = REDACTOR.redact_text(text)

    twice, report = REDACTOR.redact_text(once)

    assert twice == once
    assert report.occurrences == 0


@given(json_values)
@settings(max_examples=150, deadline=None)
def test_the_structure_of_a_value_is_preserved(value: Any) -> None:
    before = repr(value)

    clean, _ = REDACTOR.redact_json(value)

    assert shape_of(clean) == shape_of(value)
    assert repr(value) == before


@given(st.sampled_from(SAMPLES), st.sampled_from(PIECES), texts)
@settings(max_examples=100, deadline=None)
def test_json_text_stays_json_at_every_depth(sample: Any, key: str, other: str) -> None:
    # From the head of a private key to its foot everything goes, over the ends of strings too: source code
    # writes such keys as one literal per line.
    assume("PRIVATE KEY" not in key)
    text = json.dumps({key: sample.text, "list": [other, sample.value]})
    for _ in range(2):
        clean, _ = REDACTOR.redact_text(text)

        assert secret_part(sample) not in clean
        json.loads(clean)
        text = json.dumps(text)


@given(st.text(alphabet=st.sampled_from("\\\"/'nrtu0041 abc"), max_size=60))
def test_a_decoded_view_knows_where_each_byte_comes_from(text: str) -> None:
    raw = text.encode()

    view = decoded(raw)

    origins = [view.origin(offset) for offset in range(len(view.data) + 1)]
    assert origins == sorted(origins)
    assert origins[0] == 0
    assert origins[-1] == len(raw)
    for offset, origin in enumerate(origins[:-1]):
        assert raw[origin : origin + 1] in (view.data[offset : offset + 1], b"\\")


@given(texts, st.integers(min_value=1, max_value=3))
@settings(max_examples=100, deadline=None)
def test_escaping_a_text_does_not_change_its_view(text: str, depth: int) -> None:
    plain = text.replace("\\", "").replace("\n", " ").replace("\t", " ").replace("\r", " ")
    escaped = "".join(char for char in plain if char >= " " and char != "\x7f")
    expected = escaped.encode("utf-8", "surrogatepass")
    for _ in range(depth):
        escaped = json.dumps(escaped, ensure_ascii=False)[1:-1]

    assert decoded(escaped.encode("utf-8", "surrogatepass")).data == expected


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "password=",
            "key: ",
            "\\",
            "curl -H ",
            "-----BEGIN RSA PRIVATE" + " KEY-----\n",
            "://a:",
            "a@b.co ",
        ),
        *(
            "token=abc123def456ghi789\n",
            "--password x1Y2z3W4 ",
            "cookie session=",
            "name: key\nvalue: ",
            "1.2.3.5 ",
        ),
        *("<SECRET:a:1>", "eyJhbGciOiJIUzI1NiJ9.", "identified by '", "4111 1111 1111 1111 ", "\\u0041"),
    ],
)
def test_a_hostile_repetition_does_not_stall(piece: str) -> None:
    text = (piece * (50_000 // len(piece) + 1))[:50_000]
    started = time.process_time()

    REDACTOR.redact_text(text)

    assert time.process_time() - started < SECONDS_ALLOWED


def test_a_deeply_nested_value_is_walked_like_any_other() -> None:
    secret = SAMPLES[0].value
    value: Any = secret
    for _ in range(5_000):
        value = [value]

    clean, report = REDACTOR.redact_json(value)

    for _ in range(5_000):
        clean = clean[0]
    assert clean == "<SECRET:aws-access-key:1>"
    assert report.occurrences == 1


@pytest.mark.slow
def test_ten_thousand_hostile_inputs_neither_crash_nor_stall() -> None:
    """No exception, no input over a second of processor time, the same result when read again, and JSON
    text still JSON."""
    rng = random.Random(20)
    slowest = 0.0
    for _ in range(10_000):
        text = hostile_text(rng)
        started = time.process_time()

        once, _ = REDACTOR.redact_text(text)
        slowest = max(slowest, time.process_time() - started)
        again, _ = REDACTOR.redact_text(once)

        assert again == once, text
        if is_json(text):
            assert is_json(once), text
    assert slowest < SECONDS_ALLOWED


def hostile_text(rng: random.Random) -> str:
    """Pieces of syntax, cut and joined secrets, JSON in JSON, random characters, long repetitions."""
    kind = rng.randrange(6)
    if kind == 0:
        return "".join(rng.choice(PIECES) for _ in range(rng.randrange(60)))
    if kind == 1:
        text = rng.choice(SAMPLES).text
        cut = rng.randrange(len(text) + 1)
        return text[:cut] + rng.choice(PIECES) + text[cut:]
    if kind == 2:
        return rng.choice(SAMPLES).text + rng.choice(PIECES) + rng.choice(SAMPLES).text
    if kind == 3:
        text = json.dumps({rng.choice(PIECES): rng.choice(SAMPLES).text, "a": [rng.choice(SAMPLES).value]})
        for _ in range(rng.randrange(3)):
            text = json.dumps(text)
        return text
    if kind == 4:
        return "".join(
            chr(rng.choice((rng.randrange(128), rng.randrange(0x3000)))) for _ in range(rng.randrange(300))
        )
    return rng.choice(PIECES) * rng.randrange(3_000)


def is_json(text: str) -> bool:
    """Is this a JSON object or array?"""
    try:
        return isinstance(orjson.loads(text), dict | list)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return False
