"""Cutting a JSON document into members."""

from __future__ import annotations

import io
import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.traces.splitting import Broken, Member, Scanner

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def members(raw: bytes, *, limit: int = 1 << 20, chunk: int = 1 << 20) -> list[Member | Broken]:
    return list(Scanner(io.BytesIO(raw), limit, chunk=chunk).members())


@given(
    document=st.lists(JSON) | st.dictionaries(st.text(), JSON),
    indent=st.sampled_from([None, 0, 3]),
    ascii_=st.booleans(),
    chunk=st.integers(1, 50),
)
def test_the_members_are_those_of_the_parsed_document_wherever_the_chunks_end(
    document: Any, indent: int | None, ascii_: bool, chunk: int
) -> None:
    raw = json.dumps(document, indent=indent, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")

    found = members(raw, chunk=chunk)

    expected = list(document.items()) if isinstance(document, dict) else list(enumerate(document))
    assert [(one.key, json.loads(one.raw.decode("utf-8", "surrogatepass"))) for one in found] == [
        (str(key), value) for key, value in expected
    ]


@given(values=st.lists(JSON, min_size=1), cut=st.integers(1, 400), chunk=st.integers(1, 50))
def test_a_cut_document_gives_its_whole_members_and_then_says_that_it_is_broken(
    values: list[Any], cut: int, chunk: int
) -> None:
    raw = orjson.dumps(values)[:-cut]

    found = members(raw, chunk=chunk)

    whole = [one for one in found if isinstance(one, Member)]
    assert isinstance(found[-1], Broken)
    assert len(found) == len(whole) + 1
    assert [orjson.loads(one.raw or b"") for one in whole[:-1]] == values[: max(0, len(whole) - 1)]


@given(
    raw=st.binary(max_size=200), start=st.sampled_from([b"", b"[", b"{", b'{"a":']), chunk=st.integers(1, 20)
)
def test_any_bytes_come_to_an_end_without_an_exception(raw: bytes, start: bytes, chunk: int) -> None:
    found = members(start + raw, chunk=chunk)

    assert all(isinstance(one, Member) for one in found[:-1])


def test_a_member_above_the_limit_is_measured_and_skipped() -> None:
    raw = orjson.dumps(["x" * 5000, {"small": 1}, {"deep": ['\\"' * 3000]}, 2])

    found = members(raw, limit=1000, chunk=64)

    assert [one.raw for one in found if isinstance(one, Member)] == [None, b'{"small":1}', None, b"2"]
    assert isinstance(found[0], Member)
    assert found[0].size == 5002


def test_the_members_under_a_key_are_found_behind_other_keys() -> None:
    raw = orjson.dumps({"info": {"runs": [9]}, "n": 1, "runs": [{"a": 1}, {"a": 2}], "after": 3})

    found = list(Scanner(io.BytesIO(raw), 1000, chunk=7).members_under("runs"))

    assert [one.raw for one in found if isinstance(one, Member)] == [b'{"a":1}', b'{"a":2}']


def test_damage_between_members_names_the_place() -> None:
    found = members(b'[{"a":1} {"b":2}]')

    assert isinstance(found[-1], Broken)
    assert "comma" in found[-1].reason
