from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from t2s_pipeline.analysts.llm.draft import Lessons, PairLessons, Turn
from t2s_pipeline.analysts.llm.merging import JudgeReply, MergeReply
from t2s_pipeline.llm.dialect import ProbeReply
from t2s_pipeline.llm.schema import response_format, schema_in_words, strict_schema

REPLIES: tuple[type[BaseModel], ...] = (Lessons, PairLessons, Turn, MergeReply, JudgeReply, ProbeReply)


class Inner(BaseModel):
    size: int = Field(ge=1, le=9, description="how large")


class Outer(BaseModel):
    colour: Literal["red"]
    inner: Inner | None = None
    many: list[Inner] = Field(default_factory=list, max_length=3)
    name: str = Field(default="x", pattern="^x", min_length=1)


def objects_in(node: Any) -> list[dict[str, Any]]:
    """Every object schema inside a schema."""
    if isinstance(node, list):
        return [found for inner in node for found in objects_in(inner)]
    if not isinstance(node, dict):
        return []
    inner = [found for value in node.values() for found in objects_in(value)]
    return [node, *inner] if node.get("type") == "object" else inner


@pytest.mark.parametrize("model", REPLIES)
def test_every_object_of_a_reply_is_closed_and_requires_all_its_keys(model: type[BaseModel]) -> None:
    objects = objects_in(strict_schema(model))

    assert objects
    for node in objects:
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])


def test_references_bounds_defaults_and_titles_fall_away() -> None:
    schema = strict_schema(Outer)

    assert schema["properties"] == {
        "colour": {"type": "string", "enum": ["red"]},
        "inner": {"anyOf": [schema["properties"]["many"]["items"], {"type": "null"}]},
        "many": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"size": {"type": "integer", "description": "how large"}},
                "required": ["size"],
                "additionalProperties": False,
            },
        },
        "name": {"type": "string"},
    }


def test_a_model_that_contains_itself_is_refused() -> None:
    class Node(BaseModel):
        children: list[Node]

    with pytest.raises(ValueError, match="contains itself"):
        strict_schema(Node)


def test_a_free_form_map_is_refused() -> None:
    class Loose(BaseModel):
        values: dict[str, int]

    with pytest.raises(ValueError, match="maps"):
        strict_schema(Loose)


def test_the_response_format_is_strict_and_named_after_the_model() -> None:
    asked = response_format(ProbeReply)

    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["name"] == "ProbeReply"
    assert asked["json_schema"]["strict"] is True


def test_the_schema_in_words_speaks_of_json_for_endpoints_that_insist_on_it() -> None:
    assert "JSON" in schema_in_words(ProbeReply)
