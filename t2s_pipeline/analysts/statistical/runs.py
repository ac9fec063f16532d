"""A run: one trace as the sequence of calls an analyst looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson

from t2s_pipeline.analysts.statistical.actions import Action, abstract
from t2s_pipeline.analysts.statistical.actions.action import subject_of
from t2s_pipeline.analysts.statistical.errors import ErrorMessage, find_error
from t2s_pipeline.traces.record import OutcomeStatus, text_of

CHARS_PER_TOKEN = 4.0
"""Usual ratio for English and code; only used to say what a call cost when the trace does not."""


@dataclass(frozen=True)
class Call:
    """One tool call with its result."""

    position: int
    """Ordinal among the calls of the run, from 0."""
    step_id: int
    tool: str
    arguments: Mapping[str, Any]
    result: str
    error: ErrorMessage | None
    action: Action
    after_user: bool
    """The step just before was a message of the user."""

    @cached_property
    def key(self) -> int:
        """Equal for equal tool and arguments; 64 bits."""
        body = orjson.dumps([self.tool, self.arguments], option=orjson.OPT_SORT_KEYS, default=str)
        return int.from_bytes(blake2b(body, digest_size=8).digest(), "little")

    @property
    def subject(self) -> str:
        """What a lesson about this call is about: `sql`, `shell`, `python`, or the tool's own name."""
        return subject_of(self.action.kind, self.tool)

    @cached_property
    def tokens(self) -> int:
        """Estimated tokens of the call and its result."""
        arguments = len(orjson.dumps(self.arguments, default=str))
        return int((arguments + len(self.result)) / CHARS_PER_TOKEN)


@dataclass(frozen=True)
class Run:
    """One trace, ready to be mined."""

    trace_id: str
    skill: str
    task_id: str | None
    agent: str
    outcome: OutcomeStatus
    instructions: str
    """Text of the system steps."""
    user_steps: tuple[tuple[int, str], ...]
    """Step id and text of what the user said."""
    calls: tuple[Call, ...]


def run_from_steps(
    steps: Iterable[Mapping[str, Any]],
    *,
    trace_id: str,
    skill: str,
    task_id: str | None,
    agent: str,
    outcome: OutcomeStatus,
) -> Run:
    """The run of a trace, from its ATIF steps as JSON objects in step order."""
    calls: list[Call] = []
    instructions: list[str] = []
    user_steps: list[tuple[int, str]] = []
    after_user = False
    for step in steps:
        source = step["source"]
        if source == "system":
            instructions.append(text_of(step.get("message")))
            continue
        if source == "user":
            user_steps.append((step["step_id"], text_of(step.get("message"))))
            after_user = True
            continue
        calls.extend(_calls_of_step(step, len(calls), after_user))
        after_user = False
    return Run(
        trace_id=trace_id,
        skill=skill,
        task_id=task_id,
        agent=agent,
        outcome=outcome,
        instructions="\n".join(instructions),
        user_steps=tuple(user_steps),
        calls=tuple(calls),
    )


def _calls_of_step(step: Mapping[str, Any], position: int, after_user: bool) -> list[Call]:
    tool_calls = step.get("tool_calls") or ()
    if not tool_calls:
        return []
    results = (step.get("observation") or {}).get("results") or ()
    by_id = {result.get("source_call_id"): result for result in results}
    calls = []
    for offset, tool_call in enumerate(tool_calls):
        result = by_id.get(tool_call["tool_call_id"])
        if result is None and len(results) == len(tool_calls):
            result = results[offset]
        text = text_of((result or {}).get("content"))
        tool, arguments = tool_call["function_name"], tool_call["arguments"]
        action = abstract(tool, arguments)
        calls.append(
            Call(
                position=position + offset,
                step_id=step["step_id"],
                tool=tool,
                arguments=arguments,
                result=text,
                error=find_error(text, (result or {}).get("extra"), action.kind, arguments),
                action=action,
                after_user=after_user and offset == 0,
            )
        )
    return calls
