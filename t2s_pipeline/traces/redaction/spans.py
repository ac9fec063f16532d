"""What was found where, and what is put in its place."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from t2s_pipeline.traces.redaction.linear import compile_linear

PLACEHOLDER = compile_linear(r"<(?:SECRET|PERSONAL):([a-z0-9-]{1,60}):([0-9]{1,6})>")


class Hit(NamedTuple):
    """A span of bytes that must go."""

    start: int
    end: int
    rank: int
    """Lower is more specific; decides the kind where hits overlap."""
    kind: str
    value: bytes
    """What is hidden, with escapes resolved; equal values get equal placeholders."""


PERSONAL_RANK = 1_000_000
"""Ranks from here on are the second layer: a secret that overlaps an address hides the address."""


def placeholder(kind: str, rank: int, number: int) -> str:
    """`<SECRET:aws-access-key:1>`, `<PERSONAL:email:2>`."""
    layer = "PERSONAL" if rank >= PERSONAL_RANK else "SECRET"
    return f"<{layer}:{kind}:{number}>"


def without_placeholders(text: bytes, hits: Iterable[Hit]) -> list[Hit]:
    """The hits that touch no placeholder: what is hidden already is never hidden again."""
    hits = list(hits)
    if not hits or (b"<SECRET:" not in text and b"<PERSONAL:" not in text):
        return hits
    taken = [(match.start(), match.end()) for match in PLACEHOLDER.finditer(text)]
    starts = [start for start, _ in taken]
    free = []
    for hit in hits:
        before = bisect_left(starts, hit.end) - 1
        if before < 0 or taken[before][1] <= hit.start:
            free.append(hit)
    return free


def disjoint(hits: Iterable[Hit]) -> list[Hit]:
    """Overlapping hits merged, in order of place.

    Two secrets that overlap become one span of the more specific kind; a personal value inside or across
    a secret is given up for the secret.
    """
    merged: list[Hit] = []
    for hit in sorted(hits, key=lambda each: (each.start, -each.end, each.rank)):
        if not merged or hit.start >= merged[-1].end:
            merged.append(hit)
            continue
        last = merged[-1]
        best = min(last, hit, key=lambda each: each.rank)
        if hit.rank >= PERSONAL_RANK > last.rank:
            continue
        if last.rank >= PERSONAL_RANK > hit.rank:
            merged[-1] = hit
            continue
        value = last.value if hit.end <= last.end else b""
        merged[-1] = Hit(last.start, max(last.end, hit.end), best.rank, best.kind, value)
    return merged
