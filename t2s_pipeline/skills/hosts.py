"""Where in a person's skill a rule belongs: on a line that says it already, or in the section that fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz

from t2s_pipeline.analysts.lesson import Section as RuleSection
from t2s_pipeline.skills.document import Document, Section, plain_text, without_ending
from t2s_pipeline.skills.rules import Rule

SAME_WORDS = 90
"""Similarity (0 to 100, rapidfuzz ratio of the plain words) from which two lines say the same, provided
their decisive words, numbers and code are the same too. Wording alone never decides it."""

FITS = 3
"""Points a section needs to take a rule in."""

_TITLE_WORDS: dict[RuleSection, frozenset[str]] = {
    "workflow": frozenset(
        "workflow process procedure steps step approach work working start before order checklist method "
        "instructions guidelines practices practice how".split()
    ),
    "tools": frozenset(
        "tool tools api apis command commands function functions call calls parameters arguments usage "
        "policy policies rules constraints requirements".split()
    ),
    "recovery": frozenset(
        "error errors fail fails failure failures failing troubleshooting debugging recovery recover "
        "problem problems mistake mistakes issues pitfall pitfalls gotchas wrong".split()
    ),
    "cost": frozenset(
        "cost costs performance efficiency efficient speed budget avoid waste slow tokens".split()
    ),
}
_NOT_HOSTS = frozenset("example examples references resources license changelog contents see install".split())

_DECISIVE = frozenset(
    "not no never dont don't cannot can't without with avoid stop instead unless except nor only "
    "before after first last until once again more less fewer most least minimum maximum above below "
    "all any none each every both always enable disable allow deny accept refuse include exclude add remove "
    "open close start end increase decrease true false left right ascending descending".split()
)
"""Words that turn advice around: two lines that differ in one of them do not say the same."""
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_CODE = re.compile(r"`+([^`]+)`+")
_LIST_MARKER = re.compile(r"^\s*(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
_HEADLINE = re.compile(r"\*\*(.+?)\*\*(?:\s|$)")
_SUPPORT = re.compile(r"\s*\*\([^()]*\)\*\s*$")


@dataclass(frozen=True)
class _Said:
    """What a line says, in forms that can be compared."""

    words: str
    facts: tuple[frozenset[str], ...]


def _said(markdown: str) -> _Said:
    plain = plain_text(markdown).lower()
    words = _WORD.findall(plain)
    return _Said(
        " ".join(words),
        (
            frozenset(words) & _DECISIVE,
            frozenset(re.findall(r"\d+(?:[.,]\d+)*", plain)),
            frozenset(code.strip().lower() for code in _CODE.findall(markdown)),
        ),
    )


def _same(one: _Said, other: _Said) -> bool:
    return one.facts == other.facts and fuzz.ratio(one.words, other.words) >= SAME_WORDS


def said_already(document: Document, lines: Mapping[str, str]) -> dict[str, int]:
    """Rules that a line of prose or a list item says in nearly the same words: rule id to that line.

    `lines` gives each rule's own list item by rule id. Compared are the whole rule and its headline with
    the whole line and its first sentence.
    """
    said = [(number, _sayings(line)) for number, line in _prose_lines(document)]
    found: dict[str, int] = {}
    for rule_id, line in lines.items():
        mine = _sayings(line)
        for number, theirs in said:
            if any(_same(one, other) for one in mine for other in theirs):
                found[rule_id] = number
                break
    return found


def _sayings(line: str) -> list[_Said]:
    text = _SUPPORT.sub("", _LIST_MARKER.sub("", line))
    headline = _HEADLINE.match(text)
    first = headline.group(1) if headline else re.split(r"(?<=[.!?])\s+", text, maxsplit=1)[0]
    return [said for part in dict.fromkeys((text, first)) if (said := _said(part)).words]


def _prose_lines(document: Document) -> list[tuple[int, str]]:
    lines = []
    for leaf in document.leaves:
        if leaf.kind.startswith("paragraph"):
            lines += [
                (number, without_ending(document.lines[number])) for number in range(leaf.first, leaf.end)
            ]
    return [(number, line) for number, line in lines if line.strip()]


def best_host(document: Document, rule: Rule) -> Section | None:
    """The section whose title and words fit the rule best; None when none fits well enough.

    The earliest of equals. The tool's name counts most, in the title more than in the text; then words of
    the title that are usual for this kind of rule.
    """
    best: tuple[int, Section] | None = None
    for section in document.sections:
        points = _points(document, section, rule)
        if points >= FITS and (best is None or points > best[0]):
            best = (points, section)
    return best[1] if best else None


def _points(document: Document, section: Section, rule: Rule) -> int:
    title = set(_words(section.title))
    if section.level == 1 or title & _NOT_HOSTS:
        return 0
    points = 3 * bool(title & _TITLE_WORDS[rule.section])
    tool = rule.tool.lower().strip()
    if len(tool) >= 2:
        named = set(_words(tool))
        own = "".join(document.lines[section.body : section.own_end]).lower()
        points += 5 * (named <= title)
        points += 2 * bool(re.search(rf"(?<![\w-]){re.escape(tool)}(?![\w-])", own))
    return points


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", plain_text(text).lower())
