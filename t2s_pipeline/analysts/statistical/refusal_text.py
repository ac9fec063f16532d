"""The words of a rule about refused calls, from what the lessons counted.

The advice is read off the calls that got through, in this order: an arithmetic relation, a call made
first, another try, what was changed in code (`code_advice`), values taken from where they are shown.
Where nothing that got through agrees, the rule says only what is known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from t2s_pipeline.analysts.lesson import RuleText
from t2s_pipeline.analysts.statistical.advice import (
    CLEAR_SHARE,
    INSTRUCTIVE,
    MOST,
    Advice,
    AnyChange,
    Facts,
    changes_of,
    example_of,
)
from t2s_pipeline.analysts.statistical.code_advice import code_advice
from t2s_pipeline.analysts.statistical.wording import (
    is_choice,
    is_vague,
    leading,
    most_common,
    one_of,
    output_of,
    sentence_case,
    with_constants,
)

MIN_SOLVED = 3
MIN_LOOKED = 2
"""Runs from which a call made in between is told."""
MIN_UNEXPLAINED = 5
"""Runs from which a database's or interpreter's refusal is worth naming though no fix is known."""
MAX_MESSAGES = 3
MAX_CONDITION = 210
"""Characters of a headline that cites messages: beyond them its end would be cut off, which is the advice."""
_REQUIRED = re.compile(r"\b(?:must|needs?|required|requires|missing|mandatory|empty)\b", re.IGNORECASE)
"""Words of a message about something that has to be there every time."""


_SUBJECT = {"sql": "the query", "shell": "the command", "python": "the code"}


def refusal_text(tool: str, facts: Sequence[Facts]) -> RuleText | None:
    """Headline and detail for refusals of one tool; None when there is nothing a person could use.

    `facts` may hold several error templates: the rule then cites the most frequent of them.
    """
    fixed = _put_right(facts)
    messages = [f"“{text}”" for text in _messages(facts)]
    advice = advice_of(tool, facts)
    subject = _SUBJECT.get(facts[0]["kind"], f"`{tool}`")
    if advice is None:
        headline = _unexplained(subject, facts, fixed, messages[0])
        return RuleText(headline=headline, support_note="refusals") if headline else None
    if advice.conditional:
        headline, left = _condition(f"When {subject} {_answers(facts)}", messages, advice.text)
        same = f"The same with {' and '.join(left)}." if left else ""
        detail = f"{advice.detail} {same}".strip()
    else:
        headline = f"{advice.text}."
        verb = "refuses" if facts[0]["kind"] == "other" else "fails"
        detail = f"Otherwise {subject} {verb} with {' or '.join(messages)}. {advice.detail}".rstrip()
    return RuleText(
        headline=headline,
        detail=detail,
        support_note="refusals",
        advice=f"{tool}: {advice.key}" if advice.key else "",
    )


def _condition(opening: str, messages: Sequence[str], advice: str) -> tuple[str, Sequence[str]]:
    """A headline with as many of the messages as leave room for the advice, at least one; and the others."""
    for count in range(len(messages), 0, -1):
        headline = f"{opening} {' or '.join(messages[:count])}, {advice}."
        if len(headline) <= MAX_CONDITION or count == 1:
            break
    return headline, messages[count:]


def _answers(facts: Sequence[Facts]) -> str:
    return "answers" if facts[0]["kind"] == "other" else "fails with"


def _messages(facts: Sequence[Facts]) -> list[str]:
    """The most frequent messages, with what never varies in them filled in."""
    raws: dict[str, list[str]] = {}
    for fact in facts:
        raws.setdefault(fact["shown"], []).append(fact["raw"])
    ranked = sorted(raws, key=lambda shown: (-len(raws[shown]), shown))[:MAX_MESSAGES]
    often = [shown for shown in ranked if len(raws[shown]) * 10 >= len(raws[ranked[0]])]
    return list(dict.fromkeys(with_constants(shown, raws[shown]).rstrip(" .") for shown in often))


def advice_of(tool: str, facts: Sequence[Facts]) -> Advice | None:
    """The fix that the calls that got through agree on; None when they do not."""
    fixed = _put_right(facts)
    return (
        _sums(tool, facts)
        or _inserted(tool, fixed)
        or _again(fixed)
        or code_advice(fixed)
        or _values(tool, fixed)
    )


def _put_right(facts: Sequence[Facts]) -> list[Facts]:
    """The runs to read the fix from: those that got past the refusal, and where enough of them also solved
    their task, only these. A change that merely silences the message can be half a repair.
    """
    fixed = [fact for fact in facts if fact["fixed"]]
    solved = [fact for fact in fixed if fact["outcome"] == "success"]
    return solved if len(solved) >= MIN_SOLVED else fixed


def _sums(tool: str, facts: Sequence[Facts]) -> Advice | None:
    """The fewest phrases that account for every explained refusal, most frequent first."""
    left = [entry for fact in facts for entry in fact["sums"]]
    example = left[0]["message"] if left else ""
    phrases: list[str] = []
    while left:
        counts = Counter(phrase for entry in left for phrase in set(entry["phrases"]))
        best = min(counts, key=lambda phrase: (-counts[phrase], phrase))
        phrases.append(best)
        left = [entry for entry in left if best not in entry["phrases"]]
    if not phrases:
        return None
    listed = ", ".join(sorted(phrases, key=lambda phrase: (not phrase.startswith("times"), phrase)))
    return Advice(
        key="sums",
        text=f"Work out the full amount before calling `{tool}` (the single price {listed}) "
        "and make what you pass add up to it",
        detail=f"One refusal read: “{example}”.",
    )


def _inserted(tool: str, fixed: Sequence[Facts]) -> Advice | None:
    name, share = leading((name for fact in fixed for name in fact["inserted"]), len(fixed))
    if name is None or share < CLEAR_SHARE:
        return None
    if fixed[0]["kind"] == "shell":
        return Advice(f"first {name}", f"Run `{name}` first where it is needed")
    return Advice(f"first {name}", f"Call `{name}` before {_SUBJECT.get(fixed[0]['kind'], f'`{tool}`')}")


def _again(fixed: Sequence[Facts]) -> Advice | None:
    """A tool that refuses now and works later, such as one that is busy. Where a command or a program works
    later unchanged, something else was put right."""
    if _unchanged(fixed) < MOST or len(fixed) < MIN_LOOKED or fixed[0]["kind"] != "other":
        return None
    return Advice("again", "try the same call again later: it got through unchanged", conditional=True)


def _unchanged(fixed: Sequence[Facts]) -> float:
    return sum(1 for fact in fixed if fact.get("unchanged")) / len(fixed) if fixed else 0.0


def _values(tool: str, fixed: Sequence[Facts]) -> Advice | None:
    changes = [c for c in changes_of(fixed) if c["how"] in ("replaced", "added") and _is_argument(c)]
    where, share = leading((c["where"] for c in changes), len(fixed))
    if where is None or share < CLEAR_SHARE:
        return None
    where = _blamed(fixed, [c["where"] for c in changes]) or where

    def here(change: AnyChange) -> bool:
        return bool(change["where"] == where)

    mine = [c for c in changes if here(c)]
    after = Counter(c["after"] for c in mine if c.get("after"))
    bad = most_common(c.get("before", "") for c in mine)
    good = [value for value, _ in after.most_common(3) if is_choice(value) and value != bad]
    source, told = leading((c["source"] for c in mine if c.get("source")), len(mine))
    shown = ""
    if source is not None and told >= CLEAR_SHARE:
        shown = f"{sentence_case(output_of([source]))} shows what there is."
    else:
        shown = _looked(fixed)
    detail = f"{shown} {example_of(fixed, here)}".strip()
    if mine[0]["how"] == "added":
        if _REQUIRED.search(most_common(fact["raw"] for fact in fixed)):
            return Advice(f"give {where}", f"Give `{tool}` its `{where}`", detail)
        return Advice(f"add {where}", f"add `{where}`", detail, conditional=True)
    if good and is_choice(bad) and sum(after[value] for value in good) * 2 > len(mine):
        text = f"pass {one_of(good)} as `{where}` instead of `{bad}`"
        return Advice(f"value {where} {bad}", text, shown, conditional=True)
    if INSTRUCTIVE.search(most_common(fact["raw"] for fact in fixed)):
        text = f"give `{where}` the way the message asks"
        return Advice(
            f"as asked {where}", text, f"{_looked(fixed)} {example_of(fixed, here)}".strip(), conditional=True
        )
    verb = "correct" if bad in ("", "text") and not after.keys() - {"text"} else "choose another"
    return Advice(f"other {where}", f"{verb} `{where}`", detail, conditional=True)


def _looked(fixed: Sequence[Facts]) -> str:
    """What most runs called between the refusal and the call that got through."""
    name, share = leading((name for fact in fixed for name in fact.get("between", ())), len(fixed))
    if name is None or share < MOST or len(fixed) < MIN_LOOKED:
        return ""
    return f"The runs that got through mostly called `{name}` in between."


def _blamed(fixed: Sequence[Facts], changed: Sequence[str]) -> str | None:
    """The argument that the message names, of several that were changed."""
    message = most_common(fact["raw"] for fact in fixed)
    often = [where for where, n in Counter(changed).items() if n >= CLEAR_SHARE * len(fixed)]
    named = [where for where in often if re.search(rf"\b{re.escape(where.split('.')[-1])}\b", message)]
    return min(named) if named else None


def _unexplained(subject: str, facts: Sequence[Facts], fixed: Sequence[Facts], cited: str) -> str | None:
    messages = [fact["shown"] for fact in facts]
    if all(is_vague(text) for text in messages):
        return None
    if fixed and INSTRUCTIVE.search(facts[0]["raw"]):
        return f"When {subject} {_answers(facts)} {cited}, do as the message says."
    if facts[0]["kind"] != "other" and (len(facts) < MIN_UNEXPLAINED or _unchanged(fixed) >= MOST):
        return None
    if not fixed and INSTRUCTIVE.search(facts[0]["raw"]):
        return f"When {subject} {_answers(facts)} {cited}, do as it says first: no retry got through."
    if not fixed:
        return f"When {subject} {_answers(facts)} {cited}, do not try it again: no retry got through."
    touched = Counter(c["where"] for c in changes_of(fixed) if _is_argument(c))
    if touched:
        listed = one_of([name for name, _ in touched.most_common(2)])
        return f"When {subject} answers {cited}, change {listed}: the calls that got through did."
    return f"When {subject} {_answers(facts)} {cited}, try another way: runs got past it, but not alike."


def _is_argument(change: AnyChange) -> bool:
    return change["where"] not in ("a name", "the program", "clause", "white space")
