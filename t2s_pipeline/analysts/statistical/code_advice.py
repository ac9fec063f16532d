"""The fix that runs agree on whose queries, commands or programs failed and then got through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from t2s_pipeline.analysts.statistical.advice import (
    CLEAR_SHARE,
    INSTRUCTIVE,
    MOST,
    Advice,
    AnyChange,
    Facts,
    changes_of,
    example_of,
    share_of,
)
from t2s_pipeline.analysts.statistical.code_fixes import additions, code_example, rewritten_share
from t2s_pipeline.analysts.statistical.wording import (
    all_of,
    clause_words,
    leading,
    most_common,
    output_of,
    use_of,
)

MIN_ADDED_RUNS = 3
MIN_DROPPED_RUNS = 5
"""Runs that must have changed the same clause: fewer may be chance, any rewrite changes some clause, and
drops more than it adds."""


def code_advice(fixed: Sequence[Facts]) -> Advice | None:
    """The most telling thing that enough of the runs did: another program, nothing but code, names taken from
    where they are shown, another value, calls or clauses put in; else examples of what was rewritten.
    """
    return (
        _other_program(fixed)
        or _white_space(fixed)
        or _plain_code(fixed)
        or _names(fixed)
        or _literals(fixed)
        or _calls(fixed)
        or _clauses(fixed)
        or _rewritten(fixed)
    )


def _other_program(fixed: Sequence[Facts]) -> Advice | None:
    pairs = [(c["before"], c["after"]) for c in changes_of(fixed, where="the program")]
    pair, share = leading(pairs, len(fixed))
    if pair is None or share < CLEAR_SHARE:
        return None
    return Advice(f"{pair[0]} to {pair[1]}", f"Use `{pair[1]}` instead of `{pair[0]}`")


def _plain_code(fixed: Sequence[Facts]) -> Advice | None:
    dropped, share = leading(
        (c["before"] for c in changes_of(fixed, how="clause removed") if "not parsable" in c["before"]),
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

    if share_of(fixed, qualified) >= CLEAR_SHARE:
        text = "Once two sources are joined, write names with their table or alias in front (`alias.name`)"
        return Advice("qualify", text, example_of(fixed, qualified))
    if share_of(fixed, renamed) < CLEAR_SHARE:
        return None
    sources = Counter(
        source
        for fact in fixed
        for source in {c["source"] for c in fact["changes"] if renamed(c) and c.get("source")}
    )
    told = sorted(name for name, n in sources.most_common(3) if n * 5 >= sum(sources.values()))
    if not told:
        return Advice(
            "guessed name", "Check a name before using it, do not guess it", example_of(fixed, renamed)
        )
    return Advice(
        "shown names", f"Take names from {output_of(told)}; do not guess them", example_of(fixed, renamed)
    )


def _literals(fixed: Sequence[Facts]) -> Advice | None:
    """Code that got through after a quoted value was exchanged: a cell, a path, a key."""

    def exchanged(change: AnyChange) -> bool:
        quoted = str(change.get("example", ("",))[0])[:1] in ("'", '"')
        return bool(change["where"] == "a name" and change["how"] == "replaced" and quoted)

    if share_of(fixed, exchanged) < MOST:
        return None
    text = "change the value it points at"
    return Advice("", text, code_example(fixed) or example_of(fixed, exchanged), conditional=True)


def _white_space(fixed: Sequence[Facts]) -> Advice | None:
    if share_of(fixed, lambda change: bool(change["where"] == "white space")) < CLEAR_SHARE:
        return None
    text = "check indentation and line breaks: what worked differed from it in white space only"
    return Advice("white space", text, conditional=True)


def _added_clause(fixed: Sequence[Facts]) -> tuple[Any, float]:
    added = (c["after"] for c in changes_of(fixed, how="clause added") if "filter on" not in c["after"])
    return leading(added, len(fixed))


def _calls(fixed: Sequence[Facts]) -> Advice | None:
    """Calls or keywords that were put into the very line that failed; they come before clauses that fewer
    runs added anywhere in the code."""
    names, share = additions(fixed)
    needed = max(CLEAR_SHARE, MIN_ADDED_RUNS / max(len(fixed), 1), _added_clause(fixed)[1])
    if not names or share < needed or (len(names) > 1 and fixed[0]["kind"] == "sql"):
        return None
    used = names if fixed[0]["kind"] == "sql" else [f"{name}()" for name in names]
    text = f"use {all_of(used)}"
    return Advice(f"use {' '.join(used)}", text, code_example(fixed), conditional=True)


def _rewritten(fixed: Sequence[Facts]) -> Advice | None:
    """No fix that could be named, but pieces of code that show it."""
    if rewritten_share(fixed) < CLEAR_SHARE or not (shown := code_example(fixed)):
        return None
    asked = INSTRUCTIVE.search(most_common(fact["shown"] for fact in fixed))
    text = "do as the message says" if asked else "correct the piece it is about"
    return Advice("", text, shown, conditional=True)


def _clauses(fixed: Sequence[Facts]) -> Advice | None:
    added, share = _added_clause(fixed)
    dropped, lost = leading((c["before"] for c in changes_of(fixed, how="clause removed")), len(fixed))
    if added is not None and share >= max(CLEAR_SHARE, MIN_ADDED_RUNS / len(fixed)) and share >= lost:
        return Advice(f"use {added}", use_of(added), code_example(fixed), conditional=True)
    enough = MIN_DROPPED_RUNS if lost < 1 else MIN_ADDED_RUNS
    if dropped is not None and lost >= max(MOST, enough / len(fixed)):
        text = f"do without {clause_words(dropped)}"
        return Advice(f"without {dropped}", text, code_example(fixed), conditional=True)
    return None
