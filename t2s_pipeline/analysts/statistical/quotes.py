"""Short verbatim quotes of calls, for evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from t2s_pipeline.analysts.statistical.runs import Call
from t2s_pipeline.traces.record import string_leaves

MAX_QUOTE = 240
_OPENS = re.compile(r"(?:import|from) |#|--|//")
"""How lines begin that open most programs and show nothing."""


def call_quote(call: Call, preferred: Sequence[str] = ()) -> str | None:
    """Something the call itself said: its code, a preferred value, else its longest string argument;
    for a call without strings the first line of its result. None when there is no text at all.

    Always a substring of one of the step's quotable texts.
    """
    if call.action.code is not None:
        return _cut(call.action.code, preferred)
    leaves = [leaf for leaf in string_leaves(call.arguments) if leaf.strip()]
    for value in preferred:
        if len(value) >= 3 and value in leaves:
            return value[:MAX_QUOTE]
    if leaves:
        return _cut(max(leaves, key=len), ())
    return _cut(call.result, ()) if call.result.strip() else None


def _cut(text: str, preferred: Sequence[str]) -> str:
    """The line that holds a preferred value, else the first that does more than import or remark; whole text
    when it is short."""
    whole = text.strip()
    if len(whole) <= MAX_QUOTE and "\n" not in whole:
        return whole
    lines = [line.strip() for line in whole.splitlines() if line.strip()]
    for value in preferred:
        for line in lines:
            if len(value) >= 3 and value.lower() in line.lower():
                return line[:MAX_QUOTE].rstrip()
    telling = next((line for line in lines if not _OPENS.match(line)), lines[0])
    return telling[:MAX_QUOTE].rstrip()
