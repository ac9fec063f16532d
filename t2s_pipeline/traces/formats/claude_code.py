"""Claude Code sessions: one JSONL file per session (or `{"loglines": [...]}`), one line per event.

The trace is the path through the tree of lines to the last line of each tree; abandoned branches are left
out and counted. Sessions record no outcome and no
cost. Sub-agents in the same file (`isSidechain`) become embedded trajectories; a sub-agent's own file is
its own trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import (
    StepList,
    content_text,
    iso_time,
    trajectory,
    usage_of_steps,
    whole,
)
from t2s_pipeline.traces.format import (
    DRIFT,
    Converted,
    Damage,
    Format,
    Head,
    Json,
    RawRecord,
    Record,
    SourceFile,
    unknown_keys,
)
from t2s_pipeline.traces.layouts import document, session
from t2s_pipeline.traces.record import Outcome, Usage
from t2s_pipeline.traces.session_tree import SessionPath, SessionTree, blocks_of, message_id

_EVENT_TYPES = frozenset(
    "user assistant system summary attachment progress queue-operation file-history-snapshot ai-title "
    "custom-title agent-name last-prompt permission-mode mode frame-link pr-link started result "
    "relocated worktree-state bridge-session atis-latch tag agent-color agent-setting".split()
)
_LINE_KEYS = frozenset(
    "type uuid parentUuid logicalParentUuid sessionId session_id timestamp cwd gitBranch version "
    "isSidechain userType requestId isMeta agentId toolUseResult message slug entrypoint permissionMode "
    "imagePasteIds effort attributionPlugin attributionSkill attributionMcpServer attributionMcpTool "
    "attributionAgent apiErrorStatus sourceToolAssistantUUID sourceToolUseID todos thinkingMetadata "
    "promptId promptSource origin error errorDetails isApiErrorMessage isCompactSummary "
    "isVisibleInTranscriptOnly interruptedMessageId toolEndsTurn mcpMeta isAbortedMidStream "
    "supersedesUuids toolDenialKind classifierMetaLines project parent_tool_use_id planContent teamName "
    "agentName caller".split()
)
_BLOCKS = frozenset(("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image", "document"))
_SYNTHETIC = "<synthetic>"
_PROMPT_CHARACTERS = 2000


class ClaudeCode(Format):
    name = "claude_code"
    title = "Claude Code session"
    session = True

    def recognises(self, head: Head) -> int:
        if head.shape == "object" and isinstance(head.fields.get("loglines"), list):
            return 80
        for line in head.objects():
            if {"sessionId", "type"} <= line.keys() or {"leafUuid", "summary"} <= line.keys():
                return 80
            if {"parentUuid", "uuid"} <= line.keys():
                return 80
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return document(source) if "loglines" in source.head.fields else session(source)

    def is_side_file(self, path: Path) -> bool:
        return path.name.startswith("agent-") and path.name.endswith(".meta.json")

    def identity(self, record: Record) -> str | None:
        value, source = record.value, record.source
        lines = _lines_of(value)
        own = _first(lines, "sessionId") or source.path.stem
        agent = _agent_id(lines)
        return f"{own}/{agent}" if agent else own

    def convert(self, record: Record) -> Converted:
        lines, repeated = _without_repeats(_lines_of(record.value))
        talk = [line for line in lines if line.get("type") in ("user", "assistant") and _has_message(line)]
        if not talk:
            raise TraceError("the session has no steps: no user or assistant message in it")
        main = [line for line in talk if not line.get("isSidechain")]
        sides = [line for line in talk if line.get("isSidechain")] if main else []
        tree = SessionTree(lines)
        path = SessionPath(tree, main or talk)
        steps, usage = _steps(path, warn_into := list[str]())
        session_id = self.identity(record)
        agent_id = _agent_id(lines)
        name = "claude-code/sub-agent" if agent_id else "claude-code"
        model = next((step["model_name"] for step in steps if "model_name" in step), None)
        summary = next((line["summary"] for line in lines if isinstance(line.get("summary"), str)), None)
        prompt = next(
            (step["message"] for step in steps if step["source"] == "user" and step["message"]), None
        )
        extra = {
            "task_prompt": prompt[:_PROMPT_CHARACTERS] if prompt else None,
            "summary": summary,
            "cwd": _first(lines, "cwd"),
            "git_branch": _first(lines, "gitBranch"),
        }
        version = _first(reversed(lines), "version")
        embedded = _embedded(tree, sides, session_id or "", version, warn_into)
        broke = any(line.get("isApiErrorMessage") for line in main or talk) and not any(
            "tool_calls" in step for step in steps
        )
        if repeated:
            warn_into.append(f"{repeated} repeated lines left out (same uuid)")
        if path.abandoned:
            warn_into.append(f"{path.abandoned} messages of abandoned branches left out")
        return Converted(
            trajectory=trajectory(
                steps,
                agent=name,
                version=version,
                model_name=model,
                session_id=session_id,
                subagent_trajectories=embedded or None,
                extra={key: one for key, one in extra.items() if one} or None,
            ),
            outcome=Outcome(infra_error=True, detail="the model's API failed") if broke else Outcome(),
            usage=usage,
            agent=f"{name} {model}" if model else name,
            format_version=version,
            warnings=(*dict.fromkeys(warn_into), *_drift(lines)),
        )


def _steps(path: SessionPath, warnings: list[str]) -> tuple[list[Json], Usage]:
    found = StepList()
    current: dict[str, Json] = {}
    spent: dict[str, Mapping[str, Any]] = {}
    for line in path.messages:
        if line["type"] == "assistant":
            _add_assistant(found, line, current, spent)
        else:
            _add_user(found, line)
    for key, usage in spent.items():
        current[key]["metrics"] = _metrics(usage)
    steps, found_warnings = found.finish()
    warnings.extend(found_warnings)
    return steps, usage_of_steps(steps)


def _add_assistant(
    found: StepList, line: Json, current: dict[str, Json], spent: dict[str, Mapping[str, Any]]
) -> None:
    message = line["message"]
    key = message_id(line) or f"line:{line.get('uuid') or id(line)}"
    model = message.get("model")
    step = current.get(key)
    if step is None:
        step = found.add(
            "agent",
            "",
            timestamp=iso_time(line.get("timestamp")),
            model_name=model if isinstance(model, str) and model != _SYNTHETIC else None,
            extra={"api_error": True} if line.get("isApiErrorMessage") else None,
        )
        current[key] = step
    for block in blocks_of(message):
        kind = block.get("type")
        if kind == "tool_use":
            found.call(step, _text(block.get("id")), str(block.get("name") or "unknown"), block.get("input"))
        elif kind in ("thinking", "redacted_thinking"):
            if thought := block.get("thinking"):
                step["reasoning_content"] = _joined(step.get("reasoning_content"), str(thought))
        elif text := content_text(block):
            step["message"] = _joined(step["message"], text)
        if kind not in _BLOCKS:
            found.warnings.append(f"unknown content block {kind!r}")
    usage = message.get("usage")
    # Lines of one message repeat its usage while it grows: the largest output count is the final one.
    if isinstance(usage, Mapping) and (
        key not in spent
        or (whole(usage.get("output_tokens")) or 0) >= (whole(spent[key].get("output_tokens")) or 0)
    ):
        spent[key] = usage


def _add_user(found: StepList, line: Json) -> None:
    texts: list[str] = []
    for block in blocks_of(line["message"]):
        if block.get("type") == "tool_result":
            found.result(
                _text(block.get("tool_use_id")) or _text(line.get("sourceToolUseID")),
                content_text(block.get("content")),
                is_error=block.get("is_error") is True,
                timestamp=iso_time(line.get("timestamp")),
                **_subagent_ref(line),
            )
        else:
            texts.append(content_text(block))
    if text := "\n".join(one for one in texts if one):
        meta = bool(line.get("isMeta")) or bool(line.get("isCompactSummary"))
        found.add("system" if meta else "user", text, timestamp=iso_time(line.get("timestamp")))


def _subagent_ref(line: Json) -> Json:
    result = line.get("toolUseResult")
    agent = result.get("agentId") if isinstance(result, Mapping) else None
    if not isinstance(agent, str):
        return {}
    session_id = _text(line.get("sessionId")) or "session"
    reference = {"trajectory_path": f"{session_id}/subagents/agent-{agent}.jsonl"}
    return {"subagent_trajectory_ref": [reference]}


def _embedded(
    tree: SessionTree, sides: Sequence[Json], session_id: str, version: str | None, warnings: list[str]
) -> list[Json]:
    """The sub-agents recorded inside the session file, one trajectory per agent id or tree."""
    groups: dict[str, list[Json]] = {}
    for line in sides:
        root = tree.roots.get(str(line.get("uuid")), "0")
        groups.setdefault(str(line.get("agentId") or root), []).append(line)
    found: list[Json] = []
    for key, group in groups.items():
        steps, _ = _steps(SessionPath(tree, group), warnings)
        if steps:
            found.append(
                trajectory(
                    steps,
                    agent="claude-code/sub-agent",
                    version=version,
                    trajectory_id=f"{session_id}/{key}",
                )
            )
    return found


def _drift(lines: Sequence[Json]) -> list[str]:
    types = {str(line.get("type")) for line in lines} - _EVENT_TYPES
    keys = {key for line in lines if line.get("type") in ("user", "assistant") for key in line}
    return [
        *(f"{DRIFT} `type: {kind}` in line" for kind in sorted(types)),
        *unknown_keys("line", keys, _LINE_KEYS),
    ]


def _lines_of(value: Any) -> list[Json]:
    if isinstance(value, dict):
        value = list(enumerate(value.get("loglines") or ()))
    return [line for _, line in value if isinstance(line, dict)]


def _without_repeats(lines: Sequence[Json]) -> tuple[list[Json], int]:
    kept: list[Json] = []
    seen: set[str] = set()
    for line in lines:
        uuid = line.get("uuid")
        if isinstance(uuid, str) and _has_message(line):
            if uuid in seen:
                continue
            seen.add(uuid)
        kept.append(line)
    return kept, len(lines) - len(kept)


def _has_message(line: Json) -> bool:
    message = line.get("message")
    return isinstance(message, dict) and isinstance(message.get("content"), str | list)


def _metrics(usage: Mapping[str, Any]) -> Json:
    """ATIF counts cached tokens among the prompt tokens; Anthropic counts them beside."""
    cached = whole(usage.get("cache_read_input_tokens")) or 0
    prompt = (
        (whole(usage.get("input_tokens")) or 0)
        + cached
        + (whole(usage.get("cache_creation_input_tokens")) or 0)
    )
    return {
        "prompt_tokens": prompt,
        "completion_tokens": whole(usage.get("output_tokens")) or 0,
        "cached_tokens": cached,
    }


def _agent_id(lines: Sequence[Json]) -> str | None:
    """The sub-agent whose own file this is; None for a session, whatever sub-agents it started."""
    talk = [line for line in lines if line.get("type") in ("user", "assistant")]
    return _first(talk, "agentId") if all(line.get("isSidechain") for line in talk) else None


def _first(lines: Any, key: str) -> str | None:
    return next((line[key] for line in lines if isinstance(line.get(key), str) and line[key]), None)


def _joined(before: str | None, text: str) -> str:
    return f"{before}\n{text}" if before else text


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


FORMAT = ClaudeCode()
