"""From the words of a cluster to one safe line of Markdown.

A rule's words come from traces and models, so they are treated as hostile: whatever they contain, the
line is one list item, opens no heading, link, tag or block, and runs nothing in a client.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from t2s_pipeline.consolidation.cluster import RuleText, Support
from t2s_pipeline.skills.document import markdown_parser, plain_text

MAX_HEADLINE = 220
"""Characters of a headline; more is not a headline."""
MAX_DETAIL = 600
MAX_NOTE = 40

# The scheme is bounded: without an end to look for, every letter of a long word would start another search.
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]{0,31}+://|www\.)[^\s`\"'<>)\]]+", re.IGNORECASE)
_ALWAYS_ESCAPED = re.compile(r"([*\[\]<>`~])|(\\)(?=[!-/:-@\[-`{-~])|(&)(?=#?\w+;)")
_LOOSE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_WORD = re.compile(r"[^\W_]")
_SPACES = re.compile(r"\s+")
_JOINERS = frozenset("\u200c\u200d")
"""Invisible characters that some scripts need for spelling."""
_ENDINGS = ".!?:…。！？"

_ACRONYMS = {
    word.lower(): word
    for word in (
        "AI API AWS CI CLI CRM CSS CSV CTF DOCX DuckDB ETL GCP Git GitHub HR HTML HTTP IT JSON JavaScript "
        "LLM ML MySQL PDF PostgreSQL PPTX Python QA REST SQL SQLite SWE TypeScript UI XLSX XML YAML"
    ).split()
}


@dataclass(frozen=True)
class Segment:
    """A stretch of plain text, or the content of a code span."""

    kind: Literal["text", "code"]
    content: str


def visible(text: str) -> str:
    """`text` on one line without control, invisible, direction-changing and unpaired characters."""
    kept = []
    for char in text:
        category = unicodedata.category(char)
        if char.isspace() or category in ("Zl", "Zp"):
            kept.append(" ")
        elif category in ("Cc", "Cs", "Co", "Cn") or (category == "Cf" and char not in _JOINERS):
            continue
        else:
            kept.append(char)
    return _SPACES.sub(" ", "".join(kept)).strip()


def segments_of(markdown: str) -> list[Segment]:
    """Text and code spans of inline Markdown. Emphasis, links, images and tags become plain text."""
    found: list[Segment] = []
    for token in markdown_parser().parseInline(visible(markdown)):
        for child in token.children or ():
            if child.type == "code_inline":
                found.append(Segment("code", child.content))
            elif child.type == "image" or child.type in ("text", "html_inline"):
                found.append(Segment("text", child.content))
            elif child.type in ("softbreak", "hardbreak"):
                found.append(Segment("text", " "))
            elif child.type in ("em_open", "em_close", "strong_open", "strong_close") and "_" in child.markup:
                found.append(Segment("text", child.markup))  # `__init__` is a name, not emphasis
    return found


def without_addresses(segments: Sequence[Segment], seen: str) -> list[Segment]:
    """The segments with web addresses left out, except those found in `seen`: what agents themselves
    used in runs that succeeded.
    """

    def replacement(match: re.Match[str]) -> str:
        address = match.group().rstrip(".,;:!?")
        return match.group() if address in seen else "(address left out)" + match.group()[len(address) :]

    return [Segment(part.kind, _ADDRESS.sub(replacement, part.content)) for part in segments]


def shortened(segments: Sequence[Segment], limit: int) -> list[Segment]:
    """At most `limit` characters, cut between words, with an ellipsis where something was cut."""
    kept: list[Segment] = []
    left = limit
    for part in segments:
        if len(part.content) <= left:
            kept.append(part)
            left -= len(part.content)
            continue
        head = part.content[: max(0, left - 1)]
        if part.kind == "text" and " " in head:
            head = head[: head.rindex(" ")]
        if head.strip():
            kept.append(Segment(part.kind, head.rstrip() + "…"))
        else:
            kept.append(Segment("text", "…"))
        break
    return kept


def _escaped_text(text: str, everything: bool) -> str:
    if everything:
        return _PUNCTUATION.sub(r"\\\1", text)
    text = _ALWAYS_ESCAPED.sub(lambda match: "\\" + match.group(), text)
    return _LOOSE_UNDERSCORE.sub(r"\\_", text)


def _code_span(content: str) -> str:
    content = visible(content)
    if not content:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    ticks = "`" * (longest + 1)
    padded = content.startswith("`") or content.endswith("`")
    return f"{ticks} {content} {ticks}" if padded else f"{ticks}{content}{ticks}"


def render(segments: Sequence[Segment], *, everything: bool = False) -> str:
    """Inline Markdown for the segments; with `everything`, every ASCII punctuation mark is escaped."""
    parts: list[str] = []
    for part in segments:
        if part.kind == "text":
            parts.append(_escaped_text(part.content, everything))
            continue
        if parts and parts[-1].endswith(("`", "\\")):
            parts.append(" ")
        parts.append(_code_span(part.content))
    line = " ".join("".join(parts).split())
    return line.replace("!`", "! `")  # some clients run what stands between `!` and a backtick


def safe_inline(markdown: str, limit: int, seen: str = "") -> str:
    """One line of inline Markdown that says what `markdown` says and does nothing else.

    Escaped as little as reads well; when a parser would not read back the same words, completely.
    """
    segments = shortened(without_addresses(segments_of(markdown), seen), limit)
    wanted = "".join(visible(part.content) for part in segments)
    line = render(segments)
    if _letters(plain_text(line)) == _letters(wanted):
        return line
    text_only = [Segment("text", part.content) for part in segments]
    return render(text_only, everything=True)


def _letters(text: str) -> str:
    return "".join(text.split())


def sentence(markdown: str) -> str:
    """The text with a full stop unless it ends a sentence already."""
    bare = markdown.rstrip("`\\)\"'")
    return markdown if not bare or bare[-1] in _ENDINGS else markdown + "."


def counted(number: int, plural: str) -> str:
    """`1 run`, `2 runs`: the plural given, its last `s` dropped for one."""
    if number == 1:
        plural = (
            re.sub(r"(?<=[a-z])ies\b", "y", plural) if plural.endswith("ies") else plural.removesuffix("s")
        )
    return f"{number:,} {plural}"


def support_phrase(support: Support, note: str = "") -> str:
    """What stands behind a rule, in a few words and from the counts alone."""
    effect = support.effect
    if effect is not None:
        followed, not_followed = effect.success_with, effect.success_without
        basis = f"same tasks, {counted(effect.strata, 'comparisons')}"
        if followed >= not_followed:
            return f"{followed:.0%} success when followed, {not_followed:.0%} when not, {basis}"
        return f"{followed:.0%} success where it was done, {not_followed:.0%} where it was not, {basis}"
    what = " ".join(re.sub(r"[^\w' -]", " ", visible(note)).split())[:MAX_NOTE].replace("_", " ").strip()
    tasks = f" in {counted(support.tasks, 'tasks')}" if support.tasks else ""
    if what:
        return f"{counted(support.occurrences, what)}{tasks or ' in ' + counted(support.traces, 'runs')}"
    return f"seen in {counted(support.traces, 'runs')}" + (
        f" of {counted(support.tasks, 'tasks')}" if tasks else ""
    )


def rule_line(text: RuleText, support: Support, seen: str = "", marker: str = "-") -> str | None:
    """The list item of a rule without its line ending; None when the words come to nothing."""
    headline = safe_inline(text.headline, MAX_HEADLINE, seen)
    detail = safe_inline(text.detail, MAX_DETAIL, seen)
    if not _WORD.search(plain_text(headline)):
        headline, detail = detail, ""
    if not _WORD.search(plain_text(headline)):
        return None
    rest = f" {sentence(detail)}" if detail else ""
    return f"{marker} **{sentence(headline)}**{rest} *({support_phrase(support, text.support_note)})*"


def title_words(name: str) -> str:
    """A skill name in words: `sql-analytics` is `SQL analytics`."""
    words = [_ACRONYMS.get(word, word) for word in name.replace("_", "-").split("-") if word]
    title = " ".join(words)
    return title[:1].upper() + title[1:]
