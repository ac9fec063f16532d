"""Finds what a model quotes in the steps it names, and gives it back as it stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from t2s_pipeline.analysts.llm.case import Case

LEAST_QUOTED = 8
"""Letters and digits of the shortest quote that shows anything."""
MOST_QUOTED = 400
"""Characters kept of a long quote; its beginning is verbatim too."""
_MOST_WORDS = 120
"""Words of a quote that are looked for when it does not stand there letter by letter."""
_WRAPPING = " \t\r\n\"'`“”‘’«»…"


@dataclass(frozen=True)
class Found:
    """A verbatim quote and the step where it stands."""

    step: int
    quote: str


def find_quote(case: Case, first: int, last: int, quote: str) -> Found | None:
    """The quote in the first of these steps that has it; None when none has. Other white space than in the
    trace is forgiven, and what is given back is what the trace says.
    """
    for number in range(first, last + 1):
        step = case.step(number)
        if step is None or step["source"] == "system":
            continue
        for text in case.texts(number):
            verbatim = _verbatim(quote, text)
            if verbatim is not None:
                return Found(number, verbatim[:MOST_QUOTED])
    return None


def says_something(quote: str) -> bool:
    """Whether a quote is long enough to show anything."""
    return sum(map(str.isalnum, quote)) >= LEAST_QUOTED


def _verbatim(quote: str, text: str) -> str | None:
    core = quote.strip(_WRAPPING).removesuffix("...").rstrip()
    for candidate in (quote, core):
        if candidate and candidate in text:
            return candidate
    words = core.split()[:_MOST_WORDS]
    if len(words) < 2 or words[0] not in text:
        return None
    match = re.search(r"\s+".join(map(re.escape, words)), text)
    return match[0] if match else None
