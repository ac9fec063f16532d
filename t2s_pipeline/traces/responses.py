"""OpenAI Responses items (also what Codex writes) as ATIF steps.

One model turn is several items: reasoning, a message, calls. They become one agent step, which ends when
something comes back from outside: a tool's output or a message of the user.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from t2s_pipeline.traces.conversation import StepList, content_text, iso_time
from t2s_pipeline.traces.format import DRIFT, Json

CALLS = frozenset(
    "function_call custom_tool_call local_shell_call web_search_call file_search_call computer_call "
    "code_interpreter_call image_generation_call mcp_call tool_search_call tool_call apply_patch_call "
    "shell_call".split()
)
OUTPUTS = frozenset(
    "function_call_output custom_tool_call_output local_shell_call_output computer_call_output "
    "tool_search_output tool_result function_result mcp_call_output apply_patch_call_output "
    "shell_call_output".split()
)
_SILENT = frozenset(
    "ghost_snapshot compaction item_reference mcp_list_tools mcp_approval_request other".split()
)
ITEM_TYPES = CALLS | OUTPUTS | _SILENT | {"message", "reasoning", "agent_message"}

_EXIT_CODE = re.compile(r"^(?:Exit code: (\d+)|.{0,200}?Process exited with code (\d+))", re.DOTALL)
_ERROR_TEXT = re.compile(
    r"^\s*(?:error\b|failed\b|execution error|apply_patch verification failed)", re.IGNORECASE
)


class ItemSteps:
    """Collects items in order; `found` holds the steps."""

    def __init__(self) -> None:
        self.found = StepList()
        self.answered: set[str] = set()
        self._open: Json | None = None

    def add(self, item: Json, timestamp: Any = None) -> None:
        """Adds one item; what is not known is reported."""
        kind = str(item.get("type") or "message")
        when = iso_time(timestamp)
        if kind == "message":
            self._message(item, when)
        elif kind == "agent_message":
            self.close()
            self.found.add("system", content_text(item.get("content")), timestamp=when)
        elif kind == "reasoning":
            step = self._agent_step(when, fresh=bool(self._open and "tool_calls" in self._open))
            if text := content_text(item.get("summary")) or content_text(item.get("content")):
                before = step.get("reasoning_content")
                step["reasoning_content"] = f"{before}\n{text}" if before else text
        elif kind in CALLS:
            self._call(item, kind, when)
        elif kind in OUTPUTS:
            self._output(item, when)
        elif kind not in _SILENT:
            self.found.warnings.append(f"{DRIFT} `type: {kind}` in item")

    def output(self, call_id: str, text: str, *, is_error: bool) -> None:
        """A result that came another way than as an item; ignored when the call is answered already."""
        if call_id not in self.answered:
            self.answered.add(call_id)
            self.found.result(call_id, text, is_error=is_error)
            self.close()

    def last_agent_step(self) -> Json | None:
        """The agent step that items are added to, or the last one."""
        return self._open or next((s for s in reversed(self.found.steps) if s["source"] == "agent"), None)

    def close(self) -> None:
        """Ends the current agent step: what follows belongs to a new one."""
        self._open = None

    def _agent_step(self, when: str | None, *, fresh: bool) -> Json:
        if self._open is None or fresh:
            self._open = self.found.add("agent", "", timestamp=when)
        return self._open

    def _message(self, item: Json, when: str | None) -> None:
        text = content_text(item.get("content", item.get("message")))
        if item.get("role") == "assistant":
            step = self._agent_step(when, fresh=bool(self._open and ("tool_calls" in self._open)))
            step["message"] = f"{step['message']}\n{text}" if step["message"] else text
            return
        self.close()
        by_operator = item.get("role") in ("system", "developer") or _is_context(text)
        self.found.add("system" if by_operator else "user", text, timestamp=when)

    def _call(self, item: Json, kind: str, when: str | None) -> None:
        function = item.get("function")
        name = item.get("name") or (function.get("name") if isinstance(function, dict) else None)
        arguments = item.get("arguments", item.get("input", item.get("action", item.get("code"))))
        if kind == "custom_tool_call" and isinstance(arguments, str):
            arguments = _object(arguments) or {"input": arguments}
        step = self._agent_step(when, fresh=False)
        call_id = item.get("call_id") or item.get("id")
        self.found.call(
            step,
            call_id if isinstance(call_id, str) else None,
            str(name or kind.removesuffix("_call")),
            arguments,
        )
        if item.get("output") is not None and isinstance(call_id, str):  # mcp_call answers itself
            self.output(call_id, content_text(item["output"]), is_error=bool(item.get("error")))

    def _output(self, item: Json, when: str | None) -> None:
        call_id = item.get("call_id")
        if isinstance(call_id, str) and call_id in self.answered:
            return
        content = item.get("output", item.get("result", item.get("tools")))
        text, failed = output_text(content)
        if isinstance(call_id, str):
            self.answered.add(call_id)
        self.found.result(
            call_id if isinstance(call_id, str) else None,
            text,
            is_error=failed or item.get("success") is False,
            name=item.get("name"),
            timestamp=when,
        )
        self.close()


def output_text(content: Any) -> tuple[str, bool]:
    """A tool's output as text, and whether it says of itself that it failed (exit code, success flag)."""
    value = _object(content) if isinstance(content, str) else content
    if isinstance(value, dict):
        metadata = value.get("metadata")
        code = (
            metadata.get("exit_code")
            if isinstance(metadata, dict)
            else value.get("exitCode", value.get("exit_code"))
        )
        failed = value.get("success") is False or (isinstance(code, int) and code != 0)
        if isinstance(value.get("output"), str):
            return value["output"], failed
        if "stdout" in value:
            return "\n".join(str(value[name]) for name in ("stdout", "stderr") if value.get(name)), failed
        if "content" in value:
            return content_text(value["content"]), failed
        if not isinstance(content, str):
            return content_text(value), failed
    text = content_text(content)
    exit_code = _EXIT_CODE.match(text)
    code_text = exit_code and (exit_code[1] or exit_code[2])
    return text, (code_text not in (None, "0")) or bool(_ERROR_TEXT.match(text))


def _is_context(text: str) -> bool:
    """Whether a user message was written by the tool: instructions and environment put before the task."""
    starts = ("<environment_context>", "<user_instructions>", "# AGENTS.md", "<permissions", "<turn_aborted>")
    return text.lstrip().startswith(starts)


def _object(text: str) -> Json | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
