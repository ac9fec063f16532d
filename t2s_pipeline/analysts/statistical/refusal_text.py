"""The words of a rule about refused calls, from what the lessons counted.

The advice is read off the calls that got through, in this order: an arithmetic relation, a call made
first, another program, an added or dropped clause, names and values taken from where they are shown.
Where nothing that got through agrees, the rule says only what is known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from t2s_pipeline.analysts.lesson import RuleText
from t2s_pipeline.analysts.statistical.wording import (
    clause_words,
    is_choice,
    is_vague,
    leading,
    most_common,
    one_of,
    output_of,
    with_constants,
)

Facts = Mapping[str, Any]
AnyChange = Mapping[str, Any]

CLEAR_SHARE = 0.4
"""Share of the put-right runs that must agree on a fix before the rule states it as the fix."""
MIN_ADDED_RUNS = 3
MIN_DROPPED_RUNS = 5
"""Runs that must have changed the same clause: fewer may be chance, any rewrite changes some clause, and
drops more than it adds."""
MOST = 0.6
MIN_SOLVED = 3
MIN_UNEXPLAINED = 5
"""Runs from which a database's or interpreter's refusal is worth naming though no fix is known."""
MAX_MESSAGES = 3
_INSTRUCTIVE = re.compile(
    r"\b(?:must|should|needs?|required|requires|expected|instead|at least|at most|no more than|try"
    r"|please|did you mean|might need)\b",
    re.IGNORECASE,
)
"""Words of a message that says itself what to do."""


_SUBJECT = {"sql": "the query", "shell": "the command", "python": "the code"}


class Advice(NamedTuple):
    """What to do, and a key that is equal for equal advice (empty where the words are too general)."""

    key: str
    text: str
    """An imperative without its full stop."""
    detail: str = ""
    conditional: bool = False
    """The advice holds once the tool has refused, not before: a balance may or may not be enough."""


def refusal_text(tool: str, facts: Sequence[Facts]) -> RuleText | None:
    """Headline and detail for refusals of one tool; None when there is nothing a person could use.

    `facts` may hold several error templates: the rule then cites the most frequent of them.
    """
    fixed = _put_right(facts)
    cited = " or ".join(f"“{text}”" for text in _messages(facts))
    advice = advice_of(tool, facts)
    subject = _SUBJECT.get(facts[0]["kind"], f"`{tool}`")
    if advice is None:
        headline = _unexplained(subject, facts, fixed, cited)
        return RuleText(headline=headline, support_note="refusals") if headline else None
    if advice.conditional:
        headline, detail = f"When {subject} answers {cited}, {advice.text}.", advice.detail
    else:
        headline = f"{advice.text}."
        verb = "refuses" if facts[0]["kind"] == "other" else "fails"
        detail = f"Otherwise {subject} {verb} with {cited}. {advice.detail}".rstrip()
    return RuleText(
        headline=headline,
        detail=detail,
        support_note="refusals",
        advice=f"{tool}: {advice.key}" if advice.key else "",
    )


def _messages(facts: Sequence[Facts]) -> list[str]:
    """The most frequent messages, with what never varies in them filled in."""
    raws: dict[str, list[str]] = {}
    for fact in facts:
        raws.setdefault(fact["shown"], []).append(fact["raw"])
    ranked = sorted(raws, key=lambda shown: (-len(raws[shown]), shown))[:MAX_MESSAGES]
    often = [shown for shown in ranked if len(raws[shown]) * 10 >= len(raws[ranked[0]])]
    return list(dict.fromkeys(with_constants(shown, raws[shown]) for shown in often))


def advice_of(tool: str, facts: Sequence[Facts]) -> Advice | None:
    """The fix that the calls that got through agree on; None when they do not."""
    fixed = _put_right(facts)
    return (
        _sums(tool, facts)
        or _inserted(tool, fixed)
        or _other_program(fixed)
        or _plain_code(fixed)
        or _names(fixed)
        or _values(tool, fixed)
        or _literals(fixed)
        or _clauses(fixed)
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
    return Advice(f"first {name}", f"Call `{name}` before `{tool}`")


def _other_program(fixed: Sequence[Facts]) -> Advice | None:
    pairs = [(c["before"], c["after"]) for c in _changes(fixed, where="the program")]
    pair, share = leading(pairs, len(fixed))
    if pair is None or share < CLEAR_SHARE:
        return None
    return Advice(f"{pair[0]} to {pair[1]}", f"Use `{pair[1]}` instead of `{pair[0]}`")


def _plain_code(fixed: Sequence[Facts]) -> Advice | None:
    dropped, share = leading(
        (c["before"] for c in _changes(fixed, how="clause removed") if "not parsable" in c["before"]),
        len(fixed),
    )
    if dropped is None or share < CLEAR_SHARE:
        return None
    language = dropped.rsplit(" ", 1)[-1]
    return Advice("plain code", f"Send {language} and nothing else: no prose, no prompt text, no fences")


def _names(fixed: Sequence[Facts]) -> Advice | None:
    def qualified(change: AnyChange) -> bool:
        return bool(change["how"] == "qualified")

    def renamed(change: AnyChange) -> bool:
        return bool(change["where"] == "a name" and change["how"] == "replaced" and change.get("named"))

    if _share(fixed, qualified) >= CLEAR_SHARE:
        text = "Once two sources are joined, write names with their table or alias in front (`alias.name`)"
        return Advice("qualify", text, _example(fixed, qualified))
    if _share(fixed, renamed) < CLEAR_SHARE:
        return None
    sources = Counter(
        source
        for fact in fixed
        for source in {c["source"] for c in fact["changes"] if renamed(c) and c.get("source")}
    )
    told = sorted(name for name, n in sources.most_common(3) if n * 5 >= sum(sources.values()))
    if not told:
        return Advice(
            "guessed name", "Check a name before using it, do not guess it", _example(fixed, renamed)
        )
    return Advice(
        "shown names", f"Take names from {output_of(told)}; do not guess them", _example(fixed, renamed)
    )


def _values(tool: str, fixed: Sequence[Facts]) -> Advice | None:
    changes = [c for c in _changes(fixed) if c["how"] in ("replaced", "added") and _is_argument(c)]
    where, share = leading((c["where"] for c in changes), len(fixed))
    if where is None or share < CLEAR_SHARE:
        return None

    def here(change: AnyChange) -> bool:
        return bool(change["where"] == where)

    mine = [c for c in changes if here(c)]
    after = Counter(c["after"] for c in mine if c.get("after"))
    bad = most_common(c.get("before", "") for c in mine)
    good = [value for value, _ in after.most_common(3) if is_choice(value) and value != bad]
    source, told = leading((c["source"] for c in mine if c.get("source")), len(mine))
    shown = ""
    if source is not None and told >= CLEAR_SHARE:
        shown = f"{output_of([source])} shows what there is.".capitalize()
    detail = f"{shown} {_example(fixed, here)}".strip()
    if mine[0]["how"] == "added":
        return Advice(f"give {where}", f"Give `{tool}` its `{where}`", detail)
    if good and is_choice(bad) and sum(after[value] for value in good) * 2 > len(mine):
        text = f"pass {one_of(good)} as `{where}` instead of `{bad}`"
        return Advice(f"value {where} {bad}", text, shown, conditional=True)
    if _INSTRUCTIVE.search(most_common(fact["raw"] for fact in fixed)):
        text = f"give `{where}` the way the message asks"
        return Advice(f"as asked {where}", text, _example(fixed, here), conditional=True)
    return Advice(f"other {where}", f"choose another `{where}`", detail, conditional=True)


def _literals(fixed: Sequence[Facts]) -> Advice | None:
    """Code that got through after a quoted value was exchanged: a cell, a path, a key."""

    def exchanged(change: AnyChange) -> bool:
        quoted = str(change.get("example", ("",))[0])[:1] in ("'", '"')
        return bool(change["where"] == "a name" and change["how"] == "replaced" and quoted)

    if _share(fixed, exchanged) < MOST:
        return None
    text = "change the value it points at"
    return Advice("", text, _example(fixed, exchanged), conditional=True)


def _clauses(fixed: Sequence[Facts]) -> Advice | None:
    added, share = leading(
        (c["after"] for c in _changes(fixed, how="clause added") if "filter on" not in c["after"]), len(fixed)
    )
    dropped, lost = leading((c["before"] for c in _changes(fixed, how="clause removed")), len(fixed))
    if added is not None and share >= max(CLEAR_SHARE, MIN_ADDED_RUNS / len(fixed)) and share >= lost:
        return Advice(f"use {added}", f"use {clause_words(added)}", conditional=True)
    if dropped is not None and lost >= max(MOST, MIN_DROPPED_RUNS / len(fixed)):
        return Advice(f"without {dropped}", f"do without {clause_words(dropped)}", conditional=True)
    return None


def _unexplained(subject: str, facts: Sequence[Facts], fixed: Sequence[Facts], cited: str) -> str | None:
    messages = [fact["shown"] for fact in facts]
    if all(is_vague(text) for text in messages):
        return None
    if fixed and _INSTRUCTIVE.search(facts[0]["raw"]):
        return f"When {subject} answers {cited}, do as the message says."
    if facts[0]["kind"] != "other" and len(facts) < MIN_UNEXPLAINED:
        return None
    if not fixed:
        return f"Check beforehand that {subject} will not answer {cited}: no retry got through."
    touched = Counter(c["where"] for c in _changes(fixed) if _is_argument(c))
    if touched:
        listed = one_of([name for name, _ in touched.most_common(2)])
        return f"When {subject} answers {cited}, change {listed}: the calls that got through did."
    verb = "refuses" if facts[0]["kind"] == "other" else "fails"
    return f"Known pitfall: {subject} {verb} with {cited}."


def _example(fixed: Sequence[Facts], test: Callable[[AnyChange], bool]) -> str:
    """The most frequent pair of what was refused and what worked, among the changes that pass the test."""
    pairs = Counter(
        (c["example"][0], c["example"][1])
        for c in _changes(fixed)
        if test(c) and c.get("example") and all(_tellable(text) for text in c["example"])
    )
    if not pairs:
        return ""
    before, after = min(pairs, key=lambda pair: (-pairs[pair], pair))
    return f"For example `{before}` was refused and `{after}` worked."


def _tellable(text: str) -> bool:
    return 0 < len(text) <= 40 and re.search(r"[A-Za-z]", text) is not None and not re.search(r"[\n`]", text)


def _changes(fixed: Iterable[Facts], **wanted: str) -> list[AnyChange]:
    return [
        change
        for fact in fixed
        for change in fact["changes"]
        if all(change[key] == value for key, value in wanted.items())
    ]


def _share(fixed: Sequence[Facts], test: Callable[[AnyChange], bool]) -> float:
    if not fixed:
        return 0.0
    return sum(1 for fact in fixed if any(test(change) for change in fact["changes"])) / len(fixed)


def _is_argument(change: AnyChange) -> bool:
    return change["where"] not in ("a name", "the program", "clause")
