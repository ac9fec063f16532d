"""What a user's own JSON says around a conversation: id, task, attempt, agent, outcome, usage.

Which keys hold these is the user's choice; the settings name them (`id_key` and its neighbours), dotted
paths allowed, and a key missing at the top is also looked for under `metadata`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from t2s_pipeline.traces.conversation import metrics_of, usage_from, usage_of_steps
from t2s_pipeline.traces.format import Json, Record
from t2s_pipeline.traces.outcomes import outcome_of_reward
from t2s_pipeline.traces.record import Outcome, Usage

_OTHER_REWARD_KEYS = ("score", "success", "outcome", "resolved", "passed", "result", "label")
_MISSING = object()


def identity_of(record: Record) -> str | None:
    """The conversation's own id; with its attempt where one is given, as several attempts may share it."""
    if not isinstance(record.value, dict):
        return None
    own = _text(_lookup(record.value, record.source.settings.id_key))
    trial = trial_of(record)
    return own if own is None or trial is None else f"{own}/{trial}"


def task_of(record: Record) -> str | None:
    """The task id."""
    return _text(_lookup(record.value, record.source.settings.task_key))


def trial_of(record: Record) -> str | None:
    """The attempt number."""
    return _text(_lookup(record.value, record.source.settings.trial_key))


def agent_of(record: Record) -> str | None:
    """The agent's name."""
    return _text(_lookup(record.value, record.source.settings.agent_key))


def outcome_of(record: Record) -> tuple[Outcome, tuple[str, ...]]:
    """The outcome, and a hint when something that looks like one stands under another key."""
    value, settings = record.value, record.source.settings
    key = settings.reward_key
    reward = _lookup(value, key)
    if reward is None:
        other = next((name for name in _OTHER_REWARD_KEYS if name in value), None)
        if other is None or other == key:
            return Outcome(), ()
        return Outcome(), (f"no `{key}`, outcome unknown; `{other}` is there: set reward_key to use it",)
    outcome = outcome_of_reward(reward, "verifier", settings)
    if outcome.status == "unknown" and not isinstance(reward, str):
        return outcome, (f"`{key}` is neither a number, a truth value nor a word: outcome unknown",)
    return outcome, ()


def usage_of(value: Mapping[str, Any], steps: list[Json]) -> Usage:
    """What the conversation records for itself, else the sum over its messages."""
    total = metrics_of(value.get("usage"), value.get("cost_usd", value.get("cost")))
    return usage_from(total) if total else usage_of_steps(steps)


def _lookup(value: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, at the top or under `metadata`; None when absent."""
    for root in (value, value.get("metadata")):
        found: Any = root
        for part in (path,) if isinstance(root, Mapping) and path in root else path.split("."):
            found = found.get(part, _MISSING) if isinstance(found, Mapping) else _MISSING
        if found is not _MISSING and found is not None:
            return found
    return None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list) or value == "":
        return None
    return value if isinstance(value, str) else str(value)
