"""The words of a rule about calls that repeat for nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from t2s_pipeline.analysts.lesson import RuleText
from t2s_pipeline.analysts.statistical.wording import clause_words

_CALL = {"sql": "a query", "shell": "a command", "python": "code"}
_SAME = {"sql": "the same query", "shell": "the same command", "python": "the same code"}
MIN_RECOVERED = 3
"""Runs that must have recovered before the rule tells what they changed."""
CLEAR_SHARE = 0.4
"""Share of them that must have made the same change."""


def repeat_text(tool: str, facts: Sequence[Mapping[str, Any]]) -> RuleText:
    """Headline and detail for the calls of one tool that were repeated."""
    kind = facts[0]["kind"]
    if facts[0]["failed"]:
        headline = f"Do not send {_CALL.get(kind, f'a call of `{tool}`')} again unchanged after it failed."
        detail = "It fails the same way every time: read the message and change something first."
    else:
        headline = f"Do not send {_SAME.get(kind, f'the same call of `{tool}`')} again."
        detail = (
            "The result stays the same: if it does not answer the task, change the call; if it does, finish."
        )
    recovered = _recovered(facts)
    return RuleText(
        headline=headline, detail=f"{detail} {recovered}" if recovered else detail, support_note="repeats"
    )


def _recovered(facts: Sequence[Mapping[str, Any]]) -> str:
    """What many of the runs changed in the end that repeated and still succeeded. A clause that was dropped
    is not told: it may have gone with any other change."""
    recovered = [fact for fact in facts if fact["recovered"]]
    if len(recovered) < MIN_RECOVERED:
        return ""
    changed = Counter(
        kind
        for fact in recovered
        for kind in {_kind(change) for change in fact["changes"] if change["how"] != "clause removed"}
    )
    most = [kind for kind, n in changed.items() if n >= CLEAR_SHARE * len(recovered)]
    told = sorted(most, key=lambda kind: (-changed[kind], kind))[:2]
    return f"Many of the runs that still succeeded then {' or '.join(told)}." if told else ""


def _kind(change: Mapping[str, Any]) -> str:
    if change["where"] == "a name":
        return "used other names"
    if change["where"] == "the program":
        return "used another program"
    if change["where"] == "white space":
        return "corrected the white space"
    if change["where"] == "clause":
        added = change["after"]
        return "looked at the schema" if "schema" in added else f"added {clause_words(added)}"
    return f"changed `{change['where']}`"
