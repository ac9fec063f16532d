"""The record of one execution: an ATIF trajectory and what is known around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Literal

from atif import Step, Trajectory
from pydantic import BaseModel, ConfigDict

LONGEST_NAME = 300
"""Characters of a name that are kept as they are."""
_NAME_KEPT = 200

OutcomeStatus = Literal["success", "failure", "partial", "error", "unknown"]


class Outcome(BaseModel):
    """How the execution ended, and who says so. Unknown is a class of its own, never failure."""

    model_config = ConfigDict(frozen=True)

    status: OutcomeStatus = "unknown"
    reward: float | None = None
    source: Literal["verifier", "benchmark", "human", "llm_judge", "heuristic", "none"] = "none"
    infra_error: bool = False
    """The environment broke, not the agent: excluded from learning."""
    detail: str | None = None


class Source(BaseModel):
    """Where a trace came from, precisely enough to open it again."""

    model_config = ConfigDict(frozen=True)

    format: str
    format_version: str | None = None
    uri: str
    """Path relative to the data root with a fragment that names the record:
    `inbox/airline/runs.json#/3` (JSON pointer) or `inbox/sql/chat.jsonl#L12` (line)."""
    sha256: str
    """Of the record's own bytes (the line, or the canonical JSON of the element)."""
    warnings: tuple[str, ...] = ()


class Usage(BaseModel):
    """Tokens and cost as recorded by the producer; None where it recorded none."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int | None = None
    """All prompt tokens, cached ones included."""
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None


class TraceRecord(BaseModel):
    """One execution of one agent on one task."""

    model_config = ConfigDict(frozen=True)

    trace_id: str
    """`t-` and 16 hex digits; a function of skill and record bytes, so the same bytes give the same id."""
    skill: str
    task_id: str | None = None
    trial: str | None = None
    agent: str = "unknown"
    """Name of the agent (and model) that acted; a stratum in contrasts."""
    source: Source
    outcome: Outcome = Outcome()
    usage: Usage = Usage()
    trajectory: Trajectory


class Quarantined(BaseModel):
    """A file or record that could not become a TraceRecord, and why."""

    model_config = ConfigDict(frozen=True)

    skill: str
    uri: str
    sha256: str | None = None
    reason: str


def trace_id_for(skill: str, record_sha256: str) -> str:
    """Stable id of a trace: same skill and same record bytes, same id."""
    return "t-" + hashlib.sha256(f"{skill}\x00{record_sha256}".encode()).hexdigest()[:16]


def short_name(name: str) -> str:
    """A task's, trial's or agent's name of bounded length: some producers put a whole prompt there. Of a long
    one its beginning and its hash stay, so that different names stay different."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:_NAME_KEPT]}… {hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"


def text_of(content: Any) -> str:
    """Plain text of an ATIF message or observation content (a string or a list of content parts)."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else getattr(part, "text", None)
        if text:
            parts.append(text)
    return "\n".join(parts)


def string_leaves(value: Any) -> Iterator[str]:
    """Every string inside a JSON value, in document order (keys excluded)."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from string_leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from string_leaves(inner)


def quotable_texts(step: Step | dict[str, Any]) -> list[str]:
    """The texts of a step that evidence may quote: message, reasoning, the strings inside tool
    arguments, and observation contents. A quote is grounded when it is a substring of one of them.
    """
    body = step if isinstance(step, dict) else step.model_dump(mode="json", exclude_none=True)
    texts = [text_of(body.get("message")), body.get("reasoning_content") or ""]
    for call in body.get("tool_calls") or ():
        texts.extend(string_leaves(call["arguments"]))
    for result in (body.get("observation") or {}).get("results", ()):
        texts.append(text_of(result.get("content")))
    return [text for text in texts if text]
