"""The description of a skill: what makes a client open it, in at most 350 characters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from t2s_pipeline.skills.document import plain_text
from t2s_pipeline.skills.rules import Rule, tool_label
from t2s_pipeline.skills.spec import MAX_OWN_DESCRIPTION
from t2s_pipeline.skills.wording import safe_inline, title_words, visible

MOST_TOOLS = 3
MOST_POINTS = 3
POINT_LENGTH = 110


def describe(skill: str, rules: Sequence[Rule]) -> str:
    """When to open the skill, its distinguishing clause first: the work, the tools, then the main rules.

    `rules` come best supported first.
    """
    title = title_words(skill)
    tools = [tool for tool in _main_tools(rules) if tool.lower() not in title.lower().split()]
    if tools:
        text = f"{title}: tasks that use {_listed(tools)}. Use before the first call and when a call fails."
    else:
        text = f"{title} tasks. Use before starting one and when a step fails."
    points: list[str] = []
    for rule in rules:
        point = _point(rule)
        longer = f"{text} Main rules: {'; '.join([*points, point])}."
        if point and len(longer) <= MAX_OWN_DESCRIPTION and len(points) < MOST_POINTS:
            points.append(point)
    return f"{text} Main rules: {'; '.join(points)}." if points else text


def _main_tools(rules: Sequence[Rule]) -> list[str]:
    """Tools by the number of rules about them; those with the best supported rule first among equals."""
    labels = [label for rule in rules if (label := _plain(tool_label(rule.tool))) and len(label) <= 40]
    return [tool for tool, _ in Counter(labels).most_common(MOST_TOOLS)]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _point(rule: Rule) -> str:
    """The headline as a clause: no Markdown, no capital unless the first word is a name, no full stop."""
    text = _plain(plain_text(safe_inline(rule.cluster.text.headline, 400))).rstrip(".!?…")
    if len(text) > POINT_LENGTH:
        text = " ".join(re.sub(r"\s*\([^()]*\)", "", text).split())
    for mark in ("; ", ": "):
        head = text.partition(mark)[0]
        if len(text) > POINT_LENGTH and len(head) >= 20:
            text = head
    if len(text) > POINT_LENGTH:
        return ""
    starts_plain = re.match(r"[A-Z][a-z]+\b(?![_./(])", text)
    return text[:1].lower() + text[1:] if starts_plain else text


def _plain(text: str) -> str:
    """Without the characters that clients read as tags, or that end the frontmatter early."""
    return " ".join(re.sub(r"[<>`]", " ", visible(text)).replace("---", "–").split())
