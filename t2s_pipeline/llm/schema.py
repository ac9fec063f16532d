"""JSON Schemas that every endpoint's strict mode accepts, made from pydantic models.

Strict modes agree on a small subset: closed objects whose keys are all required, no references, no bounds,
no defaults. What falls away here (lengths, ranges, patterns) is checked by pydantic on the reply.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel

_KEPT = ("type", "description", "enum", "const", "anyOf", "items", "properties")


@cache
def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of `model` in the subset above, made once: not to be changed by the caller. Raises
    ValueError for a recursive model.
    """
    schema = model.model_json_schema()
    return _strict(schema, schema.get("$defs", {}), ())


def response_format(model: type[BaseModel]) -> dict[str, Any]:
    """The `response_format` parameter that asks for `model` in strict mode."""
    return {
        "type": "json_schema",
        "json_schema": {"name": model.__name__, "strict": True, "schema": strict_schema(model)},
    }


def schema_in_words(model: type[BaseModel]) -> str:
    """What a prompt says where the endpoint cannot be given the schema."""
    schema = orjson.dumps(strict_schema(model)).decode()
    return f"Reply with one JSON object and nothing else. It must fit this JSON Schema:\n{schema}"


def _strict(node: dict[str, Any], definitions: dict[str, Any], seen: tuple[str, ...]) -> dict[str, Any]:
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        if name in seen:
            raise ValueError(f"{name} contains itself; a strict schema cannot say that")
        inner = _strict(definitions[name], definitions, (*seen, name))
        return inner | ({"description": node["description"]} if "description" in node else {})
    if "prefixItems" in node or isinstance(node.get("additionalProperties"), dict):
        raise ValueError("tuples and free-form maps cannot be said in a strict schema")
    kept = {key: node[key] for key in _KEPT if key in node}
    if "allOf" in node and len(node["allOf"]) == 1:
        kept |= _strict(node["allOf"][0], definitions, seen)
    if "const" in kept:
        kept["enum"] = [kept.pop("const")]
    if "anyOf" in kept:
        kept["anyOf"] = [_strict(option, definitions, seen) for option in kept["anyOf"]]
    if "items" in kept:
        kept["items"] = _strict(kept["items"], definitions, seen)
    if kept.get("type") == "object":
        properties = kept.get("properties", {})
        kept["properties"] = {name: _strict(inner, definitions, seen) for name, inner in properties.items()}
        kept["required"] = list(properties)
        kept["additionalProperties"] = False
    return kept
