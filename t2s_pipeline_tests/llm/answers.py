"""Deterministic replies to any JSON Schema, made from what the prompt shows.

Quotes are copied from the view of a trace, so a reply passes the guards as an attentive model's would; the
same prompt always gets the same reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

_HEADING = re.compile(r"^--- step (\d+), (\w+)$")
_LABEL = re.compile(r"^\[(?:call )?([^\]]*)\]$")
_FAILED = re.compile(r"^Failed: step (\d+) (\S+?): ", re.MULTILINE)
_NUMBERED = re.compile(r"^(?:lesson|finding) (\d+)$", re.MULTILINE)
_RUN_B = "# Run B"
_REASONS = (
    "The step shows that it was needed.",
    "Without it the call had to be made again.",
    "What came back says what had been missing.",
)


@dataclass(frozen=True)
class _Line:
    step: int
    tool: str
    text: str


def reply_to(messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> Any:
    """A value that fits the schema and goes with the messages."""
    return _Writer(messages).value(schema, "")


class _Writer:
    def __init__(self, messages: Sequence[Mapping[str, str]]) -> None:
        self._turns = sum(message["role"] == "assistant" for message in messages)
        self._shown = next((m["content"] for m in messages if m["role"] == "user"), "")
        self._lines = _quotable(self._shown)
        self._numbers = [int(number) for number in _NUMBERED.findall(self._shown)]

    def value(self, schema: Mapping[str, Any], name: str) -> Any:
        if "anyOf" in schema:
            return self.value(schema["anyOf"][0], name)
        if "enum" in schema:
            return self._choice(schema["enum"], name)
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema["properties"])
        if kind == "array":
            return self._list(schema["items"], name)
        plain = {"string": f"some {name}".strip(), "integer": 0, "number": 0.0, "boolean": name == "usable"}
        return plain.get(str(kind))

    def _object(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        if "quote" in properties:
            return self._lesson(properties, 0)
        written = {name: self.value(inner, name) for name, inner in properties.items()}
        if "headline" in properties:
            written |= {"headline": "Check what the tool needs before you call it.", "detail": ""}
        if written.get("tool") != "conclude" and "thought" in properties:
            written |= {"first_step": 1, "last_step": 2, "text": "e", "lessons": []}
        return written

    def _list(self, items: Mapping[str, Any], name: str) -> list[Any]:
        properties = items.get("properties", {})
        if "quote" in properties:
            return [self._lesson(properties, which) for which in range(min(2, len(self._lines)))]
        if name == "groups":
            return [[number] for number in self._numbers]
        if "use" in properties:
            return [self._use(properties, number) for number in self._numbers]
        return [] if name == "opposed" else [self.value(items, name)]

    def _use(self, properties: Mapping[str, Any], number: int) -> dict[str, Any]:
        said = {name: self.value(inner, name) for name, inner in properties.items()}
        return said | {"lesson": number, "use": "kept", "reason": ""}

    def _choice(self, options: Sequence[Any], name: str) -> Any:
        if name == "tool" and "conclude" in options:
            return options[self._turns] if self._turns < 2 else "conclude"
        if name == "in_run":
            return "B"
        return options[0]

    def _lesson(self, properties: Mapping[str, Any], which: int) -> dict[str, Any]:
        lesson = {name: self.value(inner, name) for name, inner in properties.items()}
        if not self._lines:
            return lesson
        line = self._lines[(_digest(self._shown) + which) % len(self._lines)]
        failed = _FAILED.search(self._shown)
        if failed and which == 0 and _RUN_B not in self._shown:
            line = next((found for found in reversed(self._lines) if found.step == int(failed[1])), line)
        where = f"calling `{line.tool}`" if line.tool else "you answer"
        advice = ("Read what the tool asks for", "Look up what is missing")[which]
        return lesson | {
            "first_step": line.step,
            "last_step": line.step,
            "quote": line.text,
            "because": _REASONS[_digest(line.text) % len(_REASONS)],
            "when": f"before {where}",
            "do": f"{advice} before {where}, and send exactly that.",
            "tool": line.tool,
            "trigger": "before a call" if line.tool else "before an answer",
            "action": advice.lower(),
        }


def _quotable(shown: str) -> list[_Line]:
    """Lines of the agent's steps that may be quoted; of two runs, those of the second."""
    lines: list[_Line] = []
    step, by_agent, tool = 0, False, ""
    for line in shown[max(0, shown.find(_RUN_B)) :].splitlines():
        if heading := _HEADING.match(line):
            step, by_agent, tool = int(heading[1]), heading[2] == "agent", ""
        elif label := _LABEL.match(line):
            tool = label[1] if line.startswith("[call ") else tool
        elif by_agent and 12 <= len(line.strip()) <= 200 and not line.startswith("["):
            quote = line.strip()
            if line.startswith(tuple("abcdefghijklmnopqrstuvwxyz")) and ": " in line:
                quote = line.split(": ", 1)[1].strip()  # an argument: its name is not part of the text
            if len(quote) >= 12:
                lines.append(_Line(step, tool, quote))
    return lines


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")


def schema_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema a request asks for: in its `response_format`, else in the words of its messages."""
    form = request.get("response_format") or {}
    if form.get("type") == "json_schema":
        schema: Mapping[str, Any] = form["json_schema"]["schema"]
        return schema
    for message in request["messages"]:
        _, found, rest = message["content"].partition("JSON Schema:\n")
        if found:
            stated: Mapping[str, Any] = json.JSONDecoder().raw_decode(rest)[0]
            return stated
    return {"type": "string"}
