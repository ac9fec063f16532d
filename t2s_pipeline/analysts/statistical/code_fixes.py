"""What the runs that put failing code right have in common, and the pieces of code that show it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz

from t2s_pipeline.analysts.statistical.wording import as_code

Facts = Mapping[str, Any]
Piece = tuple[str, str, tuple[str, ...]]
"""Code before, code after, and what the new code has more: a rewrite as a value that can be counted."""

MIN_TOLD = 2
SAME_EXAMPLE = 65.0
"""Similarity (0..100) from which a second example shows nothing new."""
MAX_EXAMPLES_LENGTH = 280
"""Characters from which a second example is left out."""


def additions(fixed: Sequence[Facts]) -> tuple[list[str], float]:
    """The calls (in SQL the keywords) that most runs added, and the share of the runs that added the most
    common one. They come in the order in which they stand in the example, at most three.
    """
    counts = Counter(
        word for fact in fixed for word in {word for piece in _pieces(fact) for word in piece[2]}
    )
    if not counts or not fixed:
        return [], 0.0
    most = max(counts.values())
    common = [word for word, n in counts.items() if n * 5 >= most * 4]
    shown = next((after for before, after, added in _ranked(fixed) if set(common) <= set(added)), "")
    return sorted(common, key=lambda word: (shown.find(word), word))[:3], most / len(fixed)


def rewritten_share(fixed: Sequence[Facts]) -> float:
    """Share of the runs of which it is known what they rewrote; 0 below two runs."""
    told = sum(1 for fact in fixed if _pieces(fact))
    return told / len(fixed) if told >= MIN_TOLD else 0.0


def code_example(fixed: Sequence[Facts]) -> str:
    """One or two of the rewrites, those most runs share, as a sentence; empty where there is none."""
    ranked = _ranked(fixed)
    told = [_told(piece) for piece in ranked[:1]]
    for piece in ranked[1:]:
        second = _told(piece)
        alike = fuzz.ratio(told[0], second) >= SAME_EXAMPLE
        if len(told) == 1 and not alike and len(told[0]) + len(second) <= MAX_EXAMPLES_LENGTH:
            told.append(second)
    return f"For example {'; '.join(told)}." if told else ""


def _told(piece: Piece) -> str:
    before, after = as_code(piece[0]), as_code(piece[1])
    return f"{before} failed and {after} worked" if piece[0] else f"it worked with {after} added"


def _ranked(fixed: Sequence[Facts]) -> list[Piece]:
    """The best rewrite of each kind of fix that is not rare, the commonest kind first."""
    kinds: dict[tuple[str, ...], Counter[Piece]] = defaultdict(Counter)
    runs: Counter[tuple[str, ...]] = Counter()
    for fact in fixed:
        pieces = [piece for piece in _pieces(fact) if _tellable(piece)]
        for piece in set(pieces):
            kinds[piece[2]][piece] += 1
        runs.update({piece[2] for piece in pieces})
    often = [kind for kind in kinds if runs[kind] * 3 >= max(runs.values())]
    if any(runs[kind] * 2 >= runs[()] for kind in often if kind):
        often = [kind for kind in often if kind]  # what adds nothing may be a change made by the way
    often.sort(key=lambda kind: (-runs[kind], kind))
    return [
        min(
            kinds[kind],
            key=lambda piece: (not (piece[0] or kind), -kinds[kind][piece], _length(piece), piece),
        )
        for kind in often
    ]


def _length(piece: Piece) -> int:
    return len(piece[0]) + len(piece[1])


def _pieces(fact: Facts) -> list[Piece]:
    return [(entry["before"], entry["after"], tuple(entry["added"])) for entry in fact.get("rewrites", ())]


def _tellable(piece: Piece) -> bool:
    """It says more than a number."""
    return re.search(r"[A-Za-z]", piece[0] + piece[1]) is not None
