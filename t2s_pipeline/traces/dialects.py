"""The messages inside a span's input or output, whatever framework wrote them, as plain chat messages.

OpenAI chat and Responses, Anthropic blocks, Gemini parts, OpenTelemetry parts, LangChain messages and the
wrappers around them (`messages`, `choices`, `generations`, `output`, …) come down to
`{"role", "content", "tool_calls": [{"id", "name", "arguments"}], "tool_call_id", "reasoning"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from t2s_pipeline.traces.conversation import content_text
from t2s_pipeline.traces.format import Json
from t2s_pipeline.traces.responses import CALLS, OUTPUTS

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
    "ChatMessage": "user",
}
_WRAPPERS = (
    "messages",
    "input_messages",
    "choices",
    "candidates",
    "generations",
    "message",
    "output",
    "input",
    "contents",
    "content",
)
_SYSTEM_KEYS = ("system", "instructions", "system_instruction", "systemInstruction", "system_prompt")
_NOTHING = ("", "None", "null", "undefined")
_DEEPEST = 6
"""Wrappers inside wrappers that are followed."""


def decoded(value: Any) -> Any:
    """The value behind a JSON string (exports often hold JSON in strings, even twice)."""
    for _ in range(2):
        if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
            break
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            break
    return value


def messages_in(value: Any, role: str) -> list[Json]:
    """The messages in a value; bare text becomes one message of the given role."""
    value = decoded(value)
    if isinstance(value, str):
        return [] if value.strip() in _NOTHING else [{"role": role, "content": value}]
    return _find(value, role, 0)


def _find(value: Any, role: str, depth: int) -> list[Json]:
    if depth > _DEEPEST:
        return []
    if isinstance(value, list):
        return [message for one in value for message in _find(decoded(one), role, depth + 1)]
    if not isinstance(value, Mapping):
        return []
    if (own := _role_of(value)) is not None:
        return _message(value, own)
    if value.get("type") in CALLS or "toolName" in value:
        return [_assistant([_call(value)])]
    if value.get("type") in OUTPUTS:
        return [_reply(value.get("call_id"), value.get("output", value.get("result")))]
    for key in _WRAPPERS:
        if isinstance(inner := decoded(value.get(key)), list | dict):
            found = _find(inner, role, depth + 1)
            if found:
                return [*_instructions(value), *found]
    parts = value.get("parts")
    if isinstance(parts, list):
        return _message({**value, "parts": parts}, role)
    for key in ("text", "content", "contents", "prompt", "input", "output"):
        if isinstance(value.get(key), str) and value[key].strip() not in _NOTHING:
            return [*_instructions(value), {"role": role, "content": value[key]}]
    return []


def _instructions(value: Mapping[str, Any]) -> list[Json]:
    """The system prompt that some producers put beside the messages."""
    config = value["config"] if isinstance(value.get("config"), Mapping) else {}
    for told in (*(value.get(key) for key in _SYSTEM_KEYS), config.get("system_instruction")):
        if isinstance(told, str) and told.strip():
            return [{"role": "system", "content": told}]
    return []


def _role_of(value: Mapping[str, Any]) -> str | None:
    if isinstance(value.get("kwargs"), Mapping) and isinstance(value.get("id"), list) and value["id"]:
        return _ROLES.get(str(value["id"][-1]))
    if "role" in value:
        # A role nobody knows is the tool's own name, as LangChain for JavaScript writes it.
        return _ROLES.get(str(value["role"]), "tool")
    return _ROLES.get(str(value.get("type"))) if "content" in value else None


def _message(value: Mapping[str, Any], role: str) -> list[Json]:
    """One message; results that stand as parts of it become messages of their own."""
    body = value["kwargs"] if isinstance(value.get("kwargs"), Mapping) else value
    content = (
        decoded(body.get("content")) if isinstance(body.get("content"), list | dict) else body.get("content")
    )
    calls = [_call(one) for one in _raw_calls(body)]
    if isinstance(content, str) and (written := _written_calls(content)):
        if role == "tool":
            return []  # the call once more, where its result was expected
        calls, content = [*calls, *written], ""
    parts = body.get("parts") if isinstance(body.get("parts"), list) else content
    texts: list[str] = []
    reasoning = [text] if isinstance(text := body.get("reasoning_content"), str) else []
    replies: list[Json] = []
    for part in parts if isinstance(parts, list) else ():
        _sort_part(decoded(part), texts, calls, reasoning, replies)
    if not isinstance(parts, list):
        texts.append(content_text(parts))
    text = "\n".join(one for one in texts if one)
    if role == "tool" and not replies:
        if _is_definition(decoded(body.get("content"))):
            return []
        name = body.get("name") or (body.get("role") if body.get("role") not in _ROLES else None)
        return [_reply(body.get("tool_call_id") or body.get("id"), text, name=name, told=body)]
    said: list[Json] = []
    if text or calls or reasoning or not replies:
        said = [{"role": role, "content": text}]
        if calls:
            said[0]["tool_calls"] = calls
        if reasoning:
            said[0]["reasoning"] = "\n".join(reasoning)
    return [*replies, *said]


def _sort_part(
    part: Any, texts: list[str], calls: list[Json], reasoning: list[str], replies: list[Json]
) -> None:
    """Puts one content part where it belongs: text, a call, reasoning, or a tool's reply."""
    if isinstance(part, str):
        texts.append(part)
        return
    if not isinstance(part, Mapping):
        return
    kind = part.get("type")
    call = part.get("function_call") or part.get("functionCall")
    reply = part.get("function_response") or part.get("functionResponse")
    if kind in ("tool_use", "tool_call", "tool-call"):
        calls.append(_call(part))
    elif isinstance(call, Mapping):
        calls.append(_call(call))
    elif kind in ("tool_result", "tool_call_response", "tool-result"):
        call_id = part.get("tool_use_id") or part.get("id") or part.get("toolCallId")
        content = part.get("content", part.get("response", part.get("result", part.get("output"))))
        replies.append(_reply(call_id, content, told=part))
    elif isinstance(reply, Mapping):
        replies.append(_reply(reply.get("id"), reply.get("response"), name=reply.get("name")))
    elif kind in ("thinking", "reasoning") or "Reasoning" in str(kind):
        thought = part.get("thinking") or part.get("content") or part.get("reasoning") or part.get("text")
        if isinstance(thought, str):
            reasoning.append(thought)
    else:
        texts.append(
            content_text(part.get("content"))
            if kind == "text" and "content" in part
            else content_text([part])
        )


def _raw_calls(body: Mapping[str, Any]) -> list[Any]:
    calls = body.get("tool_calls")
    if not calls and isinstance(body.get("additional_kwargs"), Mapping):
        calls = body["additional_kwargs"].get("tool_calls")
    calls = decoded(calls)
    return [one for one in calls if isinstance(one, Mapping)] if isinstance(calls, list) else []


def _call(value: Mapping[str, Any]) -> Json:
    function = value["function"] if isinstance(value.get("function"), Mapping) else value
    name = function.get("name") or value.get("toolName") or value.get("type") or "unknown"
    arguments = function.get("arguments", function.get("args", function.get("input", value.get("action"))))
    call_id = value.get("call_id") or value.get("id") or value.get("toolCallId")
    return {"id": call_id if isinstance(call_id, str) else None, "name": str(name), "arguments": arguments}


def _written_calls(content: str) -> list[Json]:
    """Calls written as JSON text where a message's text belongs."""
    if '"function"' not in content:
        return []
    value = decoded(content)
    found = [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
    whole = (
        found and len(found) == len(value) and all(isinstance(one.get("function"), Mapping) for one in found)
    )
    return [_call(one) for one in found] if whole else []


def _is_definition(value: Any) -> bool:
    """A tool's definition, which some producers list among the messages."""
    function = value.get("function") if isinstance(value, Mapping) else None
    return isinstance(function, Mapping) and "parameters" in function


def _assistant(calls: list[Json]) -> Json:
    return {"role": "assistant", "content": "", "tool_calls": calls}


def _reply(call_id: Any, content: Any, *, name: Any = None, told: Mapping[str, Any] | None = None) -> Json:
    message: Json = {"role": "tool", "content": reply_text(content)}
    if isinstance(call_id, str):
        message["tool_call_id"] = call_id
    if isinstance(name, str):
        message["name"] = name
    if told is not None and (told.get("is_error") is True or told.get("status") == "error"):
        message["is_error"] = True
    return message


def reply_text(content: Any) -> str:
    """A tool's output as text: what it says, without the envelope frameworks put around it."""
    value = decoded(content)
    if isinstance(value, Mapping):
        body = value["kwargs"] if isinstance(value.get("kwargs"), Mapping) else value
        for key in ("content", "result", "output", "text"):
            if key in body and body.keys() - {key} <= _ENVELOPE:
                return reply_text(body[key])
        return orjson.dumps(value).decode()
    if isinstance(value, str):
        return value
    return content if isinstance(content, str) else content_text(value)


_ENVELOPE = frozenset(
    "type id call_id tool_call_id name status is_error isError artifact additional_kwargs "
    "response_metadata kwargs lc success".split()
)
