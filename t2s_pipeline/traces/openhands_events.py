"""OpenHands events, of V0 and of the SDK, as ATIF steps."""

from __future__ import annotations

from typing import Any

from t2s_pipeline.traces.conversation import (
    StepList,
    content_text,
    iso_time,
    metrics_of,
    number,
    usage_from,
    usage_of_steps,
    whole,
)
from t2s_pipeline.traces.format import DRIFT, Json
from t2s_pipeline.traces.record import Usage

_SILENT_ACTIONS = frozenset("change_agent_state recall null condensation condensation_request".split())
_SILENT_OBSERVATIONS = frozenset("agent_state_changed null recall condense think success".split())
_SILENT_KINDS = frozenset(
    "Condensation CondensationRequest CondensationSummaryEvent PauseEvent TokenEvent "
    "LLMCompletionLogEvent ConversationStateUpdateEvent StreamingDeltaEvent HookExecutionEvent "
    "InterruptEvent".split()
)
_ERRORS = frozenset(("AgentErrorEvent", "UserRejectObservation", "ConversationErrorEvent"))
_NO_ARGUMENTS = frozenset(
    "thought blocking is_static hidden confirmation_state security_risk wait_for_response image_urls "
    "impl_source kind is_input cwd task_completed final_thought outputs enable_think".split()
)


class EventSteps:
    """Collects events in order."""

    def __init__(self) -> None:
        self._found = StepList()
        self._calls: dict[Any, str] = {}
        self._by_response: dict[str, Json] = {}
        self._total: Json | None = None
        self.model: str | None = None
        self.version: str | None = None
        self.session: str | None = None

    def add(self, event: Json) -> None:
        """Adds one event; a kind that is not known is reported."""
        if "kind" in event:
            self._sdk(event)
        elif "action" in event:
            self._action(event)
        elif "observation" in event:
            self._observation(event)
        metrics = event.get("llm_metrics")
        if isinstance(metrics, dict):
            self._total = metrics

    def finish(self) -> tuple[list[Json], tuple[str, ...]]:
        """The steps and the warnings."""
        return self._found.finish()

    def usage(self, metrics: Any) -> Usage:
        """What the run records of itself (totals), else the sum over its steps."""
        total = metrics if isinstance(metrics, dict) else self._total
        spent = usage_of_steps(self._found.steps)
        if not isinstance(total, dict):
            return spent
        tokens = total.get("accumulated_token_usage")
        cost = number(total.get("accumulated_cost"))
        if not isinstance(tokens, dict):
            return spent.model_copy(update={"cost_usd": cost})
        return usage_from(
            {
                "prompt_tokens": tokens.get("prompt_tokens"),
                "completion_tokens": tokens.get("completion_tokens"),
                "cached_tokens": tokens.get("cache_read_tokens"),
                "cost_usd": cost,
            }
        )

    def _action(self, event: Json) -> None:
        action, source = event["action"], event.get("source")
        arguments = event["args"] if isinstance(event.get("args"), dict) else {}
        when = iso_time(event.get("timestamp"))
        text = content_text(arguments.get("content", event.get("message")))
        if action == "system":
            version = arguments.get("openhands_version")
            self.version = version if isinstance(version, str) else self.version
            self._found.add("system", text, timestamp=when)
        elif action == "message":
            self._found.add("agent" if source == "agent" else "user", text, timestamp=when)
        elif action not in _SILENT_ACTIONS:
            self._tool_action(event, arguments, when)

    def _tool_action(self, event: Json, arguments: Json, when: str | None) -> None:
        told = event["tool_call_metadata"] if isinstance(event.get("tool_call_metadata"), dict) else {}
        response = told["model_response"] if isinstance(told.get("model_response"), dict) else {}
        thought = content_text(arguments.get("thought") or arguments.get("final_thought"))
        step = self._step(response.get("id"), thought or _said(response), when)
        if event.get("source") == "user":
            step["extra"] = {"by": "user"}
        if response and "metrics" not in step and (metrics := _metrics(response.get("usage"))):
            step["metrics"] = metrics
        model = response.get("model")
        self.model = model if isinstance(model, str) else self.model
        call_id = told.get("tool_call_id")
        sent = _sent_arguments(response, call_id)
        kept = {key: one for key, one in arguments.items() if key not in _NO_ARGUMENTS and one is not None}
        name = str(told.get("function_name") or event["action"])
        self._found.call(step, call_id if isinstance(call_id, str) else None, name, sent or kept)
        self._calls[event.get("id")] = step["tool_calls"][-1]["tool_call_id"]

    def _observation(self, event: Json) -> None:
        kind = event["observation"]
        if kind in _SILENT_OBSERVATIONS and event.get("cause") not in self._calls:
            return
        text = content_text(event.get("content", event.get("message")))
        told = event["tool_call_metadata"] if isinstance(event.get("tool_call_metadata"), dict) else {}
        call_id = self._calls.pop(event.get("cause"), None) or told.get("tool_call_id")
        if call_id is None and kind in _SILENT_OBSERVATIONS:
            return
        extras = event["extras"] if isinstance(event.get("extras"), dict) else {}
        metadata = extras["metadata"] if isinstance(extras.get("metadata"), dict) else extras
        failed = (
            kind == "error" or event.get("success") is False or metadata.get("exit_code") not in (None, 0, -1)
        )
        self._found.result(call_id, text, is_error=failed, timestamp=iso_time(event.get("timestamp")))

    def _sdk(self, event: Json) -> None:
        kind = event["kind"]
        when = iso_time(event.get("timestamp"))
        if kind == "SystemPromptEvent":
            self._found.add("system", content_text(event.get("system_prompt")), timestamp=when)
        elif kind == "MessageEvent":
            message = event["llm_message"] if isinstance(event.get("llm_message"), dict) else {}
            source = "agent" if event.get("source") == "agent" else "user"
            self._found.add(source, content_text(message.get("content")), timestamp=when)
        elif kind == "ActionEvent":
            self._sdk_action(event, when)
        elif kind == "ObservationEvent":
            seen = event["observation"] if isinstance(event.get("observation"), dict) else {}
            text = content_text(seen.get("content", seen.get("output", seen.get("text"))))
            failed = seen.get("is_error") is True or seen.get("exit_code") not in (None, 0, -1)
            self._found.result(event.get("tool_call_id"), text, is_error=failed, timestamp=when)
        elif kind in _ERRORS:
            text = content_text(event.get("error") or event.get("rejection_reason") or event.get("detail"))
            self._found.result(event.get("tool_call_id"), text, is_error=True, timestamp=when)
        elif kind not in _SILENT_KINDS:
            self._found.warnings.append(f"{DRIFT} `kind: {kind}` in event")
        if kind == "ConversationStateUpdateEvent":
            self._state(event)

    def _sdk_action(self, event: Json, when: str | None) -> None:
        step = self._step(event.get("llm_response_id"), content_text(event.get("thought")), when)
        if reasoning := event.get("reasoning_content"):
            step["reasoning_content"] = content_text(reasoning)
        call = event["tool_call"] if isinstance(event.get("tool_call"), dict) else {}
        function = call["function"] if isinstance(call.get("function"), dict) else call
        action = event["action"] if isinstance(event.get("action"), dict) else {}
        kept = {key: one for key, one in action.items() if key not in _NO_ARGUMENTS and one is not None}
        call_id = event.get("tool_call_id")
        self._found.call(
            step,
            call_id if isinstance(call_id, str) else None,
            str(event.get("tool_name") or function.get("name") or "unknown"),
            function.get("arguments") or kept,
        )

    def _state(self, event: Json) -> None:
        """Totals per model use; the session's id."""
        value = event.get("value")
        if event.get("key") == "full_state" and isinstance(value, dict):
            self.session = value["id"] if isinstance(value.get("id"), str) else self.session
            value = value.get("stats")
        uses = value.get("usage_to_metrics") if isinstance(value, dict) else None
        if not isinstance(uses, dict):
            return
        parts = [one for one in uses.values() if isinstance(one, dict)]
        tokens = [part.get("accumulated_token_usage") or {} for part in parts]
        self._total = {
            "accumulated_cost": sum(number(part.get("accumulated_cost")) or 0.0 for part in parts),
            "accumulated_token_usage": {
                name: sum(whole(one.get(name)) or 0 for one in tokens)
                for name in ("prompt_tokens", "completion_tokens", "cache_read_tokens")
            },
        }

    def _step(self, response_id: Any, text: str, when: str | None) -> Json:
        """The step of a model response: calls made in one response belong to one step."""
        if isinstance(response_id, str) and response_id in self._by_response:
            return self._by_response[response_id]
        step = self._found.add("agent", text, timestamp=when)
        if isinstance(response_id, str):
            self._by_response[response_id] = step
        return step


def _message(response: Json) -> Json:
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return message if isinstance(message, dict) else {}


def _said(response: Json) -> str:
    return content_text(_message(response).get("content"))


def _sent_arguments(response: Json, call_id: Any) -> Any:
    """The arguments as the model sent them, which say more than the parsed action."""
    for call in _message(response).get("tool_calls") or ():
        if isinstance(call, dict) and call.get("id") == call_id and isinstance(call.get("function"), dict):
            return call["function"].get("arguments")
    return None


def _metrics(usage: Any) -> Json | None:
    metrics = metrics_of(usage)
    if metrics and "cached_tokens" not in metrics and (cached := whole(usage.get("cache_read_input_tokens"))):
        metrics["cached_tokens"] = cached
    return metrics
