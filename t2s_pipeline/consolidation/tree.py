"""Findings become topics: small groups of similar findings that an engine can judge in one call.

Findings of one tool are laid out by the signs of their vector against fixed directions (random
hyperplanes, Charikar 2002), so that similar ones share their first signs, and a group with more findings
than the engine reads at once is halved by its next sign. Where a finding lies depends on itself, and how
far a group is halved on its members: a new finding changes the topic it falls into and no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256, shake_256

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from t2s_pipeline.consolidation.embed import Embedder
from t2s_pipeline.consolidation.findings import Finding
from t2s_pipeline.consolidation.merge import Effort, InductiveMerger, Judgement, Stated, ask, in_threads
from t2s_pipeline.consolidation.nodes import Nodes, node_key
from t2s_pipeline.consolidation.wording import advice_of, wording_of

SIGNS = 64
"""Directions that order findings by meaning; after these, findings are told apart by content hash."""
_HASH_BITS = 256


@dataclass(frozen=True)
class Judged:
    """What an engine made of a set of findings."""

    same: tuple[tuple[int, ...], ...]
    """Every finding once, by position; those that stand together are one."""
    opposed: tuple[tuple[int, int], ...]
    effort: Effort


def judge_findings(
    findings: Sequence[Finding], merger: InductiveMerger, embedder: Embedder, nodes: Nodes
) -> Judged:
    """Which findings an engine takes for the same, within what code allows, and which for opposed.

    A topic the engine cannot answer for stays as it is: nothing in it is joined.
    """
    topics = [topic for topic in topics_of(findings, embedder, merger.fan_in) if len(topic) > 1]
    keys = [
        node_key("topic", [findings[index].key for index in topic], merger.name, merger.version)
        for topic in topics
    ]
    kept = [_kept(key, len(topic), nodes) for key, topic in zip(keys, topics, strict=True)]
    missing = [
        (key, [findings[index] for index in topic])
        for key, topic, known in zip(keys, topics, kept, strict=True)
        if known is None
    ]
    told = iter(in_threads(lambda one: _asked(*one, merger, nodes), missing, merger.concurrency))
    answers = [(known, Effort(kept=1)) if known is not None else next(told) for known in kept]
    alone = set(range(len(findings)))
    same: list[tuple[int, ...]] = []
    opposed: list[tuple[int, int]] = []
    for topic, (judgement, _) in zip(topics, answers, strict=True):
        for group in judgement.same:
            for allowed in _allowed([topic[position] for position in group], findings):
                same.append(tuple(allowed))
                alone.difference_update(allowed)
        opposed.extend((topic[one], topic[other]) for one, other in judgement.opposed)
    same.extend((index,) for index in alone)
    return Judged(tuple(sorted(same)), tuple(sorted(opposed)), Effort.over(spent for _, spent in answers))


def topics_of(findings: Sequence[Finding], embedder: Embedder, most: int) -> list[list[int]]:
    """Positions of findings in topics of at most `most`, each in the order of the findings."""
    signs = _signs(findings, embedder)
    by_tool: dict[str, list[int]] = defaultdict(list)
    for index, finding in enumerate(findings):
        by_tool[finding.tool].append(index)
    topics: list[list[int]] = []
    for tool in sorted(by_tool):
        waiting = [(by_tool[tool], 0)]
        while waiting:
            members, depth = waiting.pop()
            if len(members) <= most or depth == SIGNS + _HASH_BITS:
                topics.append(members)
                continue
            if depth < SIGNS:
                ups = signs[members, depth].tolist()
            else:
                ups = [_hash_bit(findings[index], depth - SIGNS) for index in members]
            halves = [[m for m, up in zip(members, ups, strict=True) if up == side] for side in (0, 1)]
            waiting.extend((half, depth + 1) for half in reversed(halves) if half)
    return topics


def _signs(findings: Sequence[Finding], embedder: Embedder) -> NDArray[np.uint8]:
    """One row of bits per finding: the signs of its meaning."""
    if not findings:
        return np.zeros((0, SIGNS), dtype=np.uint8)
    vectors = embedder.embed([f"{finding.trigger}. {finding.action}" for finding in findings])
    dimensions = vectors.shape[1]
    bits = np.unpackbits(np.frombuffer(shake_256(b"topics").digest(SIGNS * dimensions // 8), dtype=np.uint8))
    directions = bits.reshape(dimensions, SIGNS).astype(np.float32) * 2 - 1
    # Whole numbers below 2**24 are exact in single precision: the order of summation cannot matter.
    return (vectors.astype(np.float32) @ directions > 0).astype(np.uint8)


def _hash_bit(finding: Finding, position: int) -> int:
    """What tells findings apart that mean the same: a bit of their content's hash, from the left."""
    digest = int.from_bytes(sha256(repr(finding.key).encode()).digest(), "big")
    return digest >> (_HASH_BITS - 1 - position) & 1


def _kept(key: str, findings: int, nodes: Nodes) -> Judgement | None:
    body = nodes.get(key)
    try:
        return _checked(Judgement.model_validate_json(body), findings) if body is not None else None
    except (ValidationError, ValueError):
        return None  # damaged on disk: ask again and overwrite it


def _asked(
    key: str, topic: Sequence[Finding], merger: InductiveMerger, nodes: Nodes
) -> tuple[Judgement, Effort]:
    stated = [Stated(kind=finding.kind, signature=finding.signature) for finding in topic]
    judgement, calls, answered = ask(lambda: _checked(merger.judge(stated), len(topic)))
    if judgement is None or not answered:
        apart = Judgement(same=tuple((position,) for position in range(len(topic))))
        return apart, Effort(asked=calls, fallbacks=1)
    nodes.put(key, judgement.model_dump_json().encode())
    return judgement, Effort(asked=calls)


def _checked(judgement: Judgement, findings: int) -> Judgement:
    """The judgement, if it accounts for every finding exactly once; ValueError otherwise."""
    named = sorted(position for group in judgement.same for position in group)
    if named != list(range(findings)):
        raise ValueError(f"a judgement over {findings} findings accounts for {named}")
    if any(not 0 <= position < findings for pair in judgement.opposed for position in pair):
        raise ValueError(f"a judgement over {findings} findings opposes {judgement.opposed}")
    return judgement


def _allowed(group: Sequence[int], findings: Sequence[Finding]) -> list[list[int]]:
    """The group split where structured fields forbid joining: kind, direction, differing numbers."""
    if len(group) == 1:
        return [list(group)]
    parts: dict[object, list[int]] = defaultdict(list)
    for index in group:
        finding = findings[index]
        what, follow = advice_of(finding.action, finding.negated)
        bounds = (*wording_of(finding.trigger).bounds, *what.bounds)
        numbers = tuple(sorted(bound for bound in bounds if any(map(str.isdigit, bound))))
        parts[finding.kind, follow, numbers].append(index)
    return list(parts.values())
