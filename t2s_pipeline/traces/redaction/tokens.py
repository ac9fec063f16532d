"""Secrets that have a shape of their own: `ghp_…`, private key blocks, URLs with a password.

Two hundred patterns over every text would be slow, so they are asked in three steps: one automaton over
all texts at once says which texts are worth a look; a set automaton says which rules could match in such
a text; those rules, and only those, are matched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from t2s_pipeline.traces.redaction.linear import PatternSet, compile_linear, literal
from t2s_pipeline.traces.redaction.plausible import entropy, is_identifier, is_stand_in
from t2s_pipeline.traces.redaction.rules import Allowed, Rule
from t2s_pipeline.traces.redaction.spans import Hit

_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


class TokenScanner:
    """Finds the secrets of the token rules. Holds compiled automata; build it once."""

    def __init__(self, rules: Iterable[Rule], allowed: Allowed) -> None:
        self._rules = tuple(rules)
        self._allowed = allowed
        triggers: dict[str, list[int]] = {}
        for index, rule in enumerate(self._rules):
            for trigger in _triggers(rule):
                triggers.setdefault(trigger, []).append(index)
        self._owners = tuple(triggers.values())
        self._any = compile_linear("|".join(triggers) or r"[^\x00-\xff]")
        self._which = PatternSet(triggers)

    def worth_a_look(self, data: bytes, ends: Sequence[int]) -> Iterator[int]:
        """Indices of the texts in which a rule may match.

        Args:
            data: all texts, one NUL byte between two.
            ends: end offset of each text in `data`.
        """
        position = 0
        while (match := self._any.search(data, position)) is not None:
            index = bisect_left(ends, match.start())
            yield index
            position = ends[index]
            if position >= len(data):
                return

    def hits(self, text: bytes) -> Iterator[Hit]:
        """Every secret in one text."""
        chosen = sorted({rule for trigger in self._which.matching(text) for rule in self._owners[trigger]})
        for index in chosen:
            rule = self._rules[index]
            for match in rule.pattern.finditer(text):
                start, end = rule.secret_span(match)
                if end > start and self._is_secret(rule, text, start, end, match.start(), match.end()):
                    yield Hit(start, end, index, rule.kind, text[start:end])

    def _is_secret(
        self, rule: Rule, text: bytes, start: int, end: int, match_start: int, match_end: int
    ) -> bool:
        secret = text[start:end]
        if rule.entropy and entropy(secret) <= rule.entropy:
            return False
        if rule.source == "detect-secrets" and _inside_a_word(text, start, end):
            return False
        # Our own rules name the field or the prefix; the others may match any commit hash.
        if is_stand_in(secret) or (rule.source != "agent-keys" and is_identifier(secret)):
            return False
        match = text[match_start:match_end]
        return not any(allowed.covers(secret, match, match) for allowed in (self._allowed, *rule.allowed))


def _triggers(rule: Rule) -> list[str]:
    if rule.trigger:
        return [rule.trigger]
    if not rule.keywords:
        return [rule.regex]
    return [f"(?i:{literal(word)})" for word in rule.keywords]


def _inside_a_word(text: bytes, start: int, end: int) -> bool:
    """Is the match a piece of a longer run of letters and digits, such as base64 data?"""
    before = start > 0 and text[start] in _WORD and text[start - 1] in _WORD
    after = end < len(text) and text[end - 1] in _WORD and text[end] in _WORD
    return before or after
