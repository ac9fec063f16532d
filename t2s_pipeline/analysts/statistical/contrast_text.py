"""The words of a rule about a habit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from t2s_pipeline.analysts.lesson import RuleText
from t2s_pipeline.analysts.statistical.actions.python import READS, SAVES
from t2s_pipeline.analysts.statistical.actions.sql import INSPECTS
from t2s_pipeline.analysts.statistical.wording import all_of, as_code, clause_words, sentence_case, use_of

MAX_EXAMPLE = 160
NEARLY_ALL = 0.9
MAX_TABLES = 2
_SCHEMA_STATEMENTS = frozenset(("DESCRIBE", "SHOW", "PRAGMA", "SUMMARIZE"))


def contrast_text(facts: Sequence[Mapping[str, Any]]) -> RuleText:
    """Headline and detail for one habit; the facts of all its lessons carry the same habit and rates."""
    first = facts[0]
    habit = first["habit"]
    kind, action, other = habit["kind"], habit["action"], habit.get("other", "")
    if first["family"] == "works":
        return _precondition(action, facts)
    if first["harmful"]:
        return RuleText(headline=_harmful(kind, action, other))
    headline = _helpful(kind, action, other, _tables(facts))
    if first.get("instead_of"):
        headline = f"{headline[:-1]} rather than {clause_words(first['instead_of'])}."
    return RuleText(headline=headline, detail=_example(facts))


def _precondition(action: str, facts: Sequence[Mapping[str, Any]]) -> RuleText:
    """What to do before the first call of one action, or of several that it helps alike."""
    rates = {fact["habit"]["other"]: (fact["rate_with"], fact["rate_without"]) for fact in facts}
    counts = Counter(fact["habit"]["other"] for fact in facts)
    others = sorted(rates, key=lambda other: (-counts[other], other))
    told = [
        f"the first {_thing(other)} in {rates[other][0]:.0%} of the runs that did this and in "
        f"{rates[other][1]:.0%} of the runs of the same tasks that did not"
        for other in others
    ]
    told[0] = told[0].replace(" in ", " worked in ", 1)
    return RuleText(
        headline=f"{_do(action)} before the first {' or '.join(_thing(other) for other in others)}.",
        detail=f"{sentence_case('; '.join(told))}.",
        advice=f"before: {action}",
    )


def _tables(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tables that nearly all queries read which show the habit: where it applies."""
    counts = Counter(table for fact in facts for table in fact.get("tables", ()))
    return sorted(table for table, n in counts.items() if n >= NEARLY_ALL * len(facts))[:MAX_TABLES]


_IN = {"sql": "In the query that gives the answer", "python": "In the program that gives the result"}


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _helpful(kind: str, action: str, other: str, tables: Sequence[str] = ()) -> str:
    if kind == "before":
        return f"{_do(action)} before the first {_thing(other)}."
    if kind == "after":
        return f"{_do(action)} once more after the last {_thing(other)}, before finishing."
    if kind == "asks":
        return f"Ask the user right before the first {_thing(action)} and wait for the answer."
    if kind == "starts":
        return f"{_do(action)} first of all."
    if kind == "answer":
        where = f"In a query over {all_of(tables)} that gives the answer" if tables else _IN[other]
        return f"{where}, {_lower(_do(action)) if other == 'python' else use_of(action)}."
    return f"{_do(action)}."


def _harmful(kind: str, action: str, other: str) -> str:
    if kind == "before":
        return f"Leave {_thing(action)} until after the first {_thing(other)}."
    if kind == "after":
        return f"Do not end on {_thing(action)} after the last {_thing(other)}."
    if kind == "asks":
        return f"Do not wait for the user with the first {_thing(action)}."
    if kind == "starts":
        return f"Do not start with {_thing(action)}."
    if kind == "answer":
        return f"{_IN[other]}, avoid {clause_words(action)}."
    return f"Avoid {_thing(action)}."


def _do(action: str) -> str:
    """An action as the beginning of an instruction."""
    if action == INSPECTS:
        return "Look at the schema"
    if action == SAVES:
        return "Save the result"
    if action == READS:
        return "Read back what is there, without changing it,"
    if action.startswith("a check for "):
        return sentence_case(use_of(action))
    if action in _SCHEMA_STATEMENTS:
        return f"Look at the schema with `{action}`"
    if action.startswith("assigns "):
        return f"Assign {action.removeprefix('assigns ')}"
    if action.startswith("writes "):
        return f"Write {action.removeprefix('writes ')}"
    if action.startswith("`import "):
        return f"Use {action.replace('import ', '')}"
    return f"{'Call' if _is_call(action) else 'Use'} {_code(action)}"


def _thing(action: str) -> str:
    """An action as an object in a sentence."""
    if action == INSPECTS:
        return "look at the schema"
    if action in (SAVES, READS):
        return "program that saves" if action == SAVES else "program that only reads"
    if action.startswith("assigns "):
        return f"assignment to {action.removeprefix('assigns ')}"
    if action.startswith("writes "):
        return action.removeprefix("writes ")
    return _code(action)


def _code(action: str) -> str:
    return action if "`" in action else f"`{action}`"


def _is_call(action: str) -> bool:
    return (
        re.fullmatch(r"`?[.\w]+(?:\(.*\))?`?(?: with(?:out)? .*)?", action) is not None
        and not action.isupper()
    )


def _example(facts: Sequence[Mapping[str, Any]]) -> str:
    """The example most tasks share, the shortest among equals."""
    counts = Counter(fact["example"] for fact in facts if fact.get("example"))
    fitting = [text for text in counts if len(text) <= MAX_EXAMPLE and "\n" not in text]
    if not fitting:
        return ""
    return f"For example {as_code(min(fitting, key=lambda text: (-counts[text], len(text), text)))}."
