"""tau2-bench results: `{info, tasks, simulations: [run]}`, or one run per file.

The answers stand in `tasks` and in `reward_info`: of the first nothing is read, of the second only the
reward. A run that the infrastructure ended is marked and excluded from learning. Tools that the simulated
user calls are not the agent's actions and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import (
    StepList,
    content_text,
    iso_time,
    metrics_of,
    number,
    trajectory,
    usage_of_steps,
)
from t2s_pipeline.traces.format import (
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
from t2s_pipeline.traces.layouts import members_of, whichever
from t2s_pipeline.traces.outcomes import outcome_of_reward
from t2s_pipeline.traces.record import Outcome

_RUN_KEYS = frozenset(
    "id task_id timestamp start_time end_time duration termination_reason agent_cost user_cost "
    "agent_usage user_usage reward_info messages trial seed mode ticks states speech_environment "
    "effect_timeline info auth_classification review hallucination_check provider_session_id "
    "experiment_id".split()
)
_INFRASTRUCTURE = ("infrastructure_error", "unexpected_error", "user_error")


class Tau2Bench(Format):
    name = "tau2_bench"
    title = "tau2-bench run"

    def recognises(self, head: Head) -> int:
        if head.shape == "object" and {"simulations", "info"} <= head.fields.keys():
            return 92
        for sample in head.objects():
            if {"task_id", "messages", "termination_reason"} <= sample.keys():
                return 92
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        if "simulations" in source.head.fields:
            return members_of(source, "simulations", ("info",))
        return whichever(source)

    def identity(self, record: Record) -> str | None:
        own = record.value.get("id") if isinstance(record.value, dict) else None
        return own if isinstance(own, str) and own else None

    def convert(self, record: Record) -> Converted:
        value = record.value
        if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
            raise TraceError("not a tau2-bench run: it has no list of `messages`")
        found = StepList()
        for message in value["messages"]:
            for one in message.get("tool_messages") or (message,):
                _add(found, one)
        steps, warnings = found.finish()
        agent = _agent(record)
        task, trial = value.get("task_id"), value.get("trial")
        usage = usage_of_steps(steps)
        return Converted(
            trajectory=trajectory(steps, agent=agent),
            outcome=_outcome(record),
            usage=usage.model_copy(update={"cost_usd": number(value.get("agent_cost"))}),
            task_id=None if task is None else str(task),
            trial=None if trial is None else str(trial),
            agent=agent,
            warnings=(*warnings, *unknown_keys("run", value.keys(), _RUN_KEYS)),
        )


def _add(found: StepList, message: Json) -> None:
    role = message.get("role")
    when = iso_time(message.get("timestamp"))
    text = content_text(message.get("content"))
    if role == "tool":
        if message.get("requestor", "assistant") == "assistant":
            found.result(message.get("id"), text, is_error=message.get("error") is True, timestamp=when)
    elif role == "assistant":
        metrics = metrics_of(message.get("usage"), message.get("cost"))
        step = found.add("agent", text, timestamp=when, metrics=metrics)
        for call in message.get("tool_calls") or ():
            found.call(
                step, call.get("id") or None, str(call.get("name") or "unknown"), call.get("arguments")
            )
    elif text:
        found.add("system" if role == "system" else "user", text, timestamp=when)


def _agent(record: Record) -> str:
    info = record.header.get("info")
    agent = info.get("agent_info") if isinstance(info, dict) else None
    model = agent.get("llm") if isinstance(agent, dict) else None
    return model if isinstance(model, str) and model else "unknown"


def _outcome(record: Record) -> Outcome:
    value = record.value
    ended: Any = value.get("termination_reason")
    if ended in _INFRASTRUCTURE:
        return Outcome(status="error", source="benchmark", infra_error=True, detail=f"ended by {ended}")
    told = value.get("reward_info")
    reward = told.get("reward") if isinstance(told, dict) else None
    outcome = outcome_of_reward(reward, "benchmark", record.source.settings)
    return outcome.model_copy(update={"detail": f"ended by {ended}"}) if isinstance(ended, str) else outcome


FORMAT = Tau2Bench()
