"""A tree of spans (OpenTelemetry, Langfuse, LangSmith, MLflow) as one ATIF trajectory.

Every model call repeats the conversation so far as its input. The trace is what each call adds: the
messages nobody has seen yet, then its own output. Tool spans give results that no later input shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.conversation import StepList, arguments_of, iso_time, number, usage_of_steps
from t2s_pipeline.traces.dialects import decoded, reply_text
from t2s_pipeline.traces.format import Json
from t2s_pipeline.traces.outcomes import OutcomeSource, outcome_of_reward
from t2s_pipeline.traces.record import Outcome, Usage

SpanKind = Literal["model", "tool", "other"]

_RUN_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{16,32}\b", re.IGNORECASE)
_VERDICTS = ("success", "correctness", "outcome", "resolved", "passed", "task_success")
"""Names of scores that say how the task ended, beside the one the settings name."""


@dataclass
class Span:
    """One span, with what a trajectory needs of it."""

    kind: SpanKind
    start: str
    """Sorts in time order."""
    name: str = ""
    time: str | None = None
    """ISO 8601, where recorded."""
    inputs: list[Json] = field(default_factory=list)
    outputs: list[Json] = field(default_factory=list)
    arguments: Any = None
    result: Any = None
    call_id: str | None = None
    failed: bool = False
    model: str | None = None
    metrics: Json | None = None


@dataclass(frozen=True)
class Score:
    """A judgement attached to a trace."""

    name: str
    value: Any
    source: OutcomeSource


class SpanSteps:
    """Collects spans in time order."""

    def __init__(self) -> None:
        self.found = StepList()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._answered: set[str] = set()
        self._waiting: dict[tuple[str, str], list[str]] = {}
        self._tool_of: dict[str, str] = {}
        self._open: dict[str, dict[str, None]] = {}
        self._told_by_span = False

    def add(self, span: Span) -> None:
        """Adds what the span brings that was not there before."""
        if span.kind == "model":
            repeated: Counter[tuple[str, str]] = Counter()
            for message in span.inputs:
                self._message(message, None, repeated)
            for message in span.outputs:
                self._message(message, span, repeated)
        elif span.kind == "tool":
            self._tool(span)

    def _message(self, message: Json, span: Span | None, repeated: Counter[tuple[str, str]]) -> None:
        """Adds a message; one of a model call's inputs only when the calls before had fewer of the same."""
        role = message["role"]
        if role == "tool":
            self._reply(message, repeated)
            return
        key = (role, _print_of(message))
        if span is None and self._is_repeated(key, repeated):
            return
        if span is not None:
            self._seen[key] += 1
        when = iso_time(span.time) if span else None
        if role != "assistant":
            self.found.add("system" if role == "system" else "user", message["content"], timestamp=when)
            return
        step = self.found.add(
            "agent",
            message["content"],
            timestamp=when,
            reasoning_content=message.get("reasoning"),
            model_name=span.model if span else None,
        )
        if span is not None and span.metrics:
            step["metrics"], span.metrics = span.metrics, None
        for call in message.get("tool_calls", ()):
            self.found.call(step, call["id"], call["name"], decoded(call["arguments"]))
            added = step["tool_calls"][-1]
            place = (added["function_name"], _arguments_print(added["arguments"]))
            call_id = call["id"] or added["tool_call_id"]
            self._waiting.setdefault(place, []).append(call_id)
            self._tool_of[call_id] = added["function_name"]
            if call_id not in self._answered:
                self._open.setdefault(added["function_name"], {})[call_id] = None

    def _is_repeated(self, key: tuple[str, str], repeated: Counter[tuple[str, str]]) -> bool:
        """Whether an input was there before, as often as it stands in the inputs up to here."""
        repeated[key] += 1
        if repeated[key] <= self._seen[key]:
            return True
        self._seen[key] = repeated[key]
        return False

    def _reply(self, message: Json, repeated: Counter[tuple[str, str]]) -> None:
        call_id = message.get("tool_call_id")
        if call_id in self._answered or self._is_repeated(
            ("tool", f"{call_id}\x00{message['content']}"), repeated
        ):
            return
        if call_id is None and self._told_by_span and not self._open_calls():
            return  # the result of a tool span once more, in the next model call's input
        if call_id:
            self._answer(call_id)
        self.found.result(
            call_id, message["content"], is_error=bool(message.get("is_error")), name=message.get("name")
        )

    def _tool(self, span: Span) -> None:
        """The result of a call that a model made, or, when no model call is recorded, call and result."""
        arguments = decoded(span.arguments)
        if not arguments and span.result in (None, ""):
            return
        self._told_by_span = True
        place = (span.name, _arguments_print(arguments_of(arguments)))
        waiting = [one for one in self._waiting.get(place, ()) if one not in self._answered]
        call_id = span.call_id or (waiting[0] if waiting else self._only_open(span.name))
        if call_id is not None and call_id in self._answered:
            return
        if call_id is None or call_id not in self._tool_of:
            step = self.found.add("agent", "", timestamp=iso_time(span.time), llm_call_count=0)
            self.found.call(step, call_id, span.name, arguments)
            call_id = call_id or step["tool_calls"][-1]["tool_call_id"]
        self._answer(call_id)
        self.found.result(call_id, reply_text(span.result), is_error=span.failed)

    def _only_open(self, name: str) -> str | None:
        """The one unanswered call of that tool; None when there are none or several."""
        waiting = self._open.get(name, {})
        return next(iter(waiting)) if len(waiting) == 1 else None

    def _open_calls(self) -> bool:
        return any(self._open.values())

    def _answer(self, call_id: str) -> None:
        self._answered.add(call_id)
        self._open.get(self._tool_of.get(call_id, ""), {}).pop(call_id, None)


def steps_of_spans(spans: Iterable[Span]) -> StepList:
    """The steps of a trace's spans."""
    collected = SpanSteps()
    for span in sorted(spans, key=lambda one: one.start):
        collected.add(span)
    return collected.found


def usage_of_spans(spans: Sequence[Span], steps: list[Json]) -> Usage:
    """Tokens and cost of the model calls: those that became steps and those that said nothing."""
    silent = [{"metrics": span.metrics} for span in spans if span.kind == "model" and span.metrics]
    return usage_of_steps([*steps, *silent])


def outcome_of_scores(scores: Sequence[Score], settings: Settings) -> tuple[Outcome, tuple[str, ...]]:
    """The outcome by the score that says it; other scores (toxicity, tone) are named and not used."""
    names = (settings.reward_key, *_VERDICTS)
    for name in names:
        for score in scores:
            if score.name.lower() == name.lower():
                outcome = outcome_of_reward(score.value, score.source, settings)
                if outcome.status != "unknown":
                    return outcome, ()
    if not scores:
        return Outcome(), ()
    found = ", ".join(sorted({score.name for score in scores})[:5])
    return Outcome(), (f"scores {found} say nothing about success: set reward_key to use one",)


def token_metrics(prompt: Any, completion: Any, cached: Any = None, cost: Any = None) -> Json | None:
    """ATIF metrics of one model call; None when nothing is recorded."""
    named = {
        "prompt_tokens": number(prompt),
        "completion_tokens": number(completion),
        "cached_tokens": number(cached),
    }
    metrics: Json = {name: int(value) for name, value in named.items() if value is not None}
    if (price := number(cost)) is not None:
        metrics["cost_usd"] = price
    return metrics or None


def agent_name(*parts: str | None) -> str:
    """A name that is the same for every run of an agent: what was given, without ids that change."""
    found = [_RUN_ID.sub("", part).strip(" .:/-_") for part in parts if part]
    return " ".join(part for part in found if part) or "unknown"


def _print_of(message: Json) -> str:
    calls = "\x00".join(
        f"{call['name']}:{_arguments_print(arguments_of(decoded(call['arguments'])))}"
        for call in message.get("tool_calls", ())
    )
    return f"{message['content'].strip()}\x00{calls}"


def _arguments_print(arguments: Any) -> str:
    return repr(sorted(arguments.items(), key=str)) if isinstance(arguments, dict) else repr(arguments)
