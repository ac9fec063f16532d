"""From a recorded reward or word to an Outcome. Nothing recorded stays unknown; nothing is guessed."""

from __future__ import annotations

from typing import Any, Literal

from t2s_pipeline.settings import Settings
from t2s_pipeline.traces.conversation import number
from t2s_pipeline.traces.record import Outcome, OutcomeStatus

OutcomeSource = Literal["verifier", "benchmark", "human", "llm_judge", "heuristic", "none"]

_WORDS: dict[str, OutcomeStatus] = {
    **dict.fromkeys(
        "success succeeded successful pass passed resolved solved correct true yes ok".split(), "success"
    ),
    **dict.fromkeys("failure failed fail unresolved unsolved incorrect wrong false no".split(), "failure"),
    **dict.fromkeys("partial partially".split(), "partial"),
    **dict.fromkeys("error errored crash crashed exception".split(), "error"),
    **dict.fromkeys("unknown none null n/a na pending".split(), "unknown"),
}
_INFRASTRUCTURE = ("infra", "infra_error", "infrastructure", "infrastructure_error", "environment_error")


def outcome_of_reward(reward: Any, source: OutcomeSource, settings: Settings) -> Outcome:
    """Outcome of a number, a truth value or a word; unknown when it is none of them.

    A number at or above `settings.success_reward` is success, one strictly between 0 and it partial."""
    if isinstance(reward, bool):
        return Outcome(status="success" if reward else "failure", reward=float(reward), source=source)
    value = number(reward)
    if value is None and isinstance(reward, str):
        text = reward.strip().lower()
        if text in _INFRASTRUCTURE:
            return Outcome(status="error", source=source, infra_error=True, detail=reward)
        if text in _WORDS:
            status = _WORDS[text]
            return Outcome(status=status, source=source if status != "unknown" else "none")
        try:
            value = number(float(text))
        except ValueError:
            return Outcome()
    if value is None or value != value:
        return Outcome()
    return Outcome(status=status_of_number(value, settings), reward=value, source=source)


def status_of_number(reward: float, settings: Settings) -> OutcomeStatus:
    """Success at or above the threshold, partial strictly between 0 and it, failure otherwise."""
    if reward >= settings.success_reward:
        return "success"
    return "partial" if reward > 0 else "failure"
