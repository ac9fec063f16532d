"""Recognise a call that failed, and reduce its message to a template.

Two refusals are the same finding when their templates are equal: what varies between runs (numbers,
identifiers, quoted names, words echoed from the call's own arguments) is masked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from t2s_pipeline.traces.record import string_leaves

GAP = "…"
MAX_RAW = 280
"""Characters of a message kept as quote; longer ones are cut at the end."""
MAX_SHOWN = 120
FEW_WORDS = 5
"""A first sentence shorter than this, such as `No change was made.`, says what and not why: the next one is
part of the message."""
MAX_LOOK = 2000
"""Characters at either end of a long result that are searched for an unmarked failure."""
MAX_ARGUMENT_TEXT = 4000
"""Characters of the arguments looked at to tell which words of a message echo them."""


@dataclass(frozen=True)
class ErrorMessage:
    """What a failed call answered."""

    raw: str
    """The telling line, verbatim: a substring of the result."""
    shown: str
    """The line as a person would cite it, variable parts as `…`, wrappers such as `Error:` dropped."""
    template: str
    """Lower-cased `shown`: equal for the same refusal."""


_OPENING = re.compile(
    r"\s*(?:<tool_use_error>|\[?(?:error|exception|fatal|failure|failed|traceback)\b(?!s)"
    r"|(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b\s*[:(]|[A-Z][\w ]{2,30} Error:"
    r"|(?:invalid|unknown|unsupported|unrecognized) (?:\w+ ){0,2}\w+[:'\"]"
    r"|(?:error|err)\b.{0,40}:"
    r"|HTTP(?:/[\d.]+)?(?: (?:error|status))?:? ?[45]\d\d\b"
    r"|[45]\d\d (?:Bad Request|Unauthorized|Forbidden|Not Found|Too Many Requests|Internal Server Error))",
    re.IGNORECASE,
)
_REFUSES = re.compile(r"\s*(?:unable to|could not|couldn't|cannot|can't|request failed)\b", re.IGNORECASE)
"""How a short answer begins that is a refusal; a long one may be a text about anything."""
_EXCEPTION_LINE = re.compile(r"^(?:E\s+)?((?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b(?::.*)?)$")
_SHELL_FAILURE = re.compile(
    r"(?:command not found|no such file or directory|permission denied|not a git repository"
    r"|is not recognized as|cannot access|unrecognized option|invalid option|illegal option"
    r"|no rule to make target|segmentation fault|syntax error|operation not permitted"
    r"|could not resolve|connection refused|is a directory$|not a directory)",
    re.IGNORECASE,
)
_EXIT_STATUS = re.compile(r"(?:exit|return|status) ?code:? -?\d+$", re.IGNORECASE)
"""A line some clients put above what a program printed."""
_WRAPPER = re.compile(
    r"^(?:</?tool_use_error>|\W*\b(?:error|exception|fatal|failure)\b"
    r"(?: (?:executing|running|calling|while|in|during)[\w ]{0,30})?\s*[:\-]+)\s*",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?<![\w'\"`])(['\"`])(?P<inner>[^\n]*?)\1(?!\w)")
_NAMED = re.compile(
    r"\b(named?|called|table|column|function|module|command|sheet|worksheet|relation|key|option)"
    r" (?!(?:and|with|for|not|does|has|was|are|must|cannot|already|from|the)\b)(\w{3,})\b",
    re.IGNORECASE,
)
_CLOSED = {"'": "\ue000", '"': "\ue001", "`": "\ue002"}
_DOT = "\ue003"
"""Stands for the dot of a type's name while names are masked."""
_TYPE = re.compile(
    r"int|float|complex|str|bytes|bool|NoneType|list|dict|tuple|set|frozenset|range|function|type"
    r"|(?:datetime\.)?(?:datetime|date|time|timedelta)|Decimal|Timestamp|Series|DataFrame|ndarray"
)
_ABOUT_TYPES = re.compile(r"(?:TypeError|AttributeError): ")
_NOTHING = re.compile(r"(?!)")
_UNCLOSED = re.compile(r"(?<![\w'\"`…])(['\"`])(?![^\n]*\1(?!\w))[^\n]*$")
_VARIABLE = re.compile(
    r"https?://\S+"
    r"|(?:[A-Za-z]:)?(?:[\w.\-~]*[/\\]){1,}[\w.\-*]*"  # paths
    r"|\b[\w\-.]*\d[\w\-]*(?:\.\w+)*"  # anything that carries a digit
    r"|\b\w+(?:_\w+)+\b"  # snake_case names
    r"|\b\w+\.\w+\b"  # dotted names
)
_FIRST_CLAUSE = re.compile(r"(?<=[^\s]{3}[\w'\")])[;!](?: |$)|(?<=[\w()]{3})\. (?=[A-Z])")
_WORD = re.compile(r"\b[A-Z][A-Za-z]*[a-z]\w*\b")
_GAPS = re.compile(rf"(?:{GAP}[\s,;:.\-=*()\[\]]*){{2,}}")


def find_error(
    text: str, extra: Mapping[str, Any] | None, kind: str, arguments: Mapping[str, Any]
) -> ErrorMessage | None:
    """The error a result carries, or None for a call that worked.

    The producer's own mark (`is_error`, `exit_code` in the ATIF extra) decides where there is one;
    otherwise only an unmistakable form counts, so that data which merely mentions errors does not.
    `kind` is the action kind (`sql`, `shell`, `python`, `other`).
    """
    marked = _marked(extra)
    if marked is False:
        return None
    line = _telling_line(text, kind, certain=bool(marked))
    if line is None:
        return None
    raw = line[:MAX_RAW].rstrip()
    sent = " ".join(string_leaves(arguments))[:MAX_ARGUMENT_TEXT]
    shown = _shown(_with_rest_of_quote(raw, text), sent)
    return ErrorMessage(raw=raw, shown=shown, template=shown.lower())


def _marked(extra: Mapping[str, Any] | None) -> bool | None:
    if not extra:
        return None
    if isinstance(extra.get("is_error"), bool):
        return bool(extra["is_error"])
    code = extra.get("exit_code", extra.get("returncode"))
    if isinstance(code, int) and not isinstance(code, bool):
        return code != 0 or None
    return None


def _telling_line(text: str, kind: str, *, certain: bool) -> str | None:
    if not text.strip():
        return "(no output)" if certain and text else None
    if "Traceback (most recent call last)" in text:
        for line in reversed(text.splitlines()):
            if match := _EXCEPTION_LINE.match(line.strip()):
                return match[1]
    if text.lstrip()[:1] == "{" and len(text) < 20_000 and (message := _json_error(text)):
        return message
    if not certain and len(text) > 2 * MAX_LOOK:
        # Only the beginning and the end can tell; long listings need not be split.
        text = f"{text[:MAX_LOOK]}\n{text[-MAX_LOOK:]}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _OPENING.match(lines[0]) or (len(text) <= MAX_RAW and _REFUSES.match(lines[0])):
        return _first_with_content(lines)
    if (match := _EXCEPTION_LINE.match(lines[-1])) and (certain or len(lines) <= 3):
        return match[1]
    if kind in ("shell", "python") or certain:
        limit = len(lines) if certain else 3
        for line in lines[:limit]:
            if _SHELL_FAILURE.search(line) and (certain or len(line) < 200):
                return line
    if certain:
        for line in lines:
            if re.search(r"\b(?:error|exception|failed|invalid|cannot|not found)\b", line, re.IGNORECASE):
                return line
        return next((line for line in lines if not _EXIT_STATUS.match(line)), lines[0])
    return None


def _first_with_content(lines: list[str]) -> str:
    """The first line, or the next one when the first is only a heading such as `Error:`."""
    first = lines[0]
    if len(_WRAPPER.sub("", first).strip()) < 4 and len(lines) > 1:
        return lines[1]
    return first


def _with_rest_of_quote(line: str, text: str) -> str:
    """The line, and where a quotation in it goes on over further lines, what the message says after that."""
    for quote in ("`", '"'):
        if line.count(quote) % 2 == 0 or line not in text:
            continue
        head, _, rest = text[text.index(line) + len(line) :].partition(quote)
        if head.startswith("\n") and rest and len(head) <= MAX_LOOK:
            opened = line[: line.rindex(quote)]
            return f"{opened}{quote}{GAP}{quote}{rest.splitlines()[0]}"[: 2 * MAX_RAW]
    return line


def _json_error(text: str) -> str | None:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    error = body.get("error") or body.get("errors")
    refused = body.get("success") is False or body.get("ok") is False
    failed = refused or any(
        key.endswith("status") and isinstance(value, str) and value.lower() in ("error", "failed", "failure")
        for key, value in body.items()
    )
    if not error and failed:
        error = body.get("message") or body.get("reason") or body.get("detail") or "failed"
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error.get("code")
    if isinstance(error, list):
        error = error[0] if error else None
        if isinstance(error, dict):
            error = error.get("message")
    if not isinstance(error, str) or not error.strip():
        return None
    line = next((part.strip() for part in error.splitlines() if part.strip()), "")
    return line if line and line in text else None


def _shown(raw: str, sent: str) -> str:
    """`raw` with its variable parts masked; `sent` is the text of the call's own arguments."""
    text = raw
    while (stripped := _WRAPPER.sub("", text)) != text and stripped.strip():
        text = stripped
    text = text.replace("</tool_use_error>", "").strip()
    if text[:1] == "{" or len(text) < 3:
        text = raw
    words = frozenset(_WORD.findall(sent))
    # Closed quotes are taken out of the way while one that never closes is looked for.
    types = _TYPE if _ABOUT_TYPES.match(raw) else _NOTHING
    text = _QUOTED.sub(
        lambda m: f"{_CLOSED[m[1]]}{_mask_quoted(m['inner'], sent, words, types)}{_CLOSED[m[1]]}", text
    )
    text = _UNCLOSED.sub(lambda m: f"{m[1]}{GAP}{m[1]}", text)
    for quote, mark in _CLOSED.items():
        text = text.replace(mark, quote)
    text = _NAMED.sub(lambda m: f"{m[1]} {GAP}" if m[2] in set(re.findall(r"\w+", sent)) else m[0], text)
    text = _mask(text, words).replace(_DOT, ".")
    text = _GAPS.sub(f"{GAP} ", text)
    ends = [match.start() for match in _FIRST_CLAUSE.finditer(text)]
    if ends and len(text[: ends[0]].split()) < FEW_WORDS:
        ends = ends[1:]
    text = text[: ends[0]] if ends else text
    text = " ".join(text.split())
    if len(text) > MAX_SHOWN:
        text = text[:MAX_SHOWN].rsplit(" ", 1)[0].rstrip(",;:(") + f" {GAP}"
    return text.rstrip(" .!;:,") or raw[:MAX_SHOWN]


def _mask_quoted(inner: str, sent: str, words: frozenset[str], types: re.Pattern[str]) -> str:
    """A quoted name or a quoted piece of what was sent is variable; a quoted sentence keeps its words, and
    the name of a type is part of what went wrong."""
    if types.fullmatch(inner):
        return inner.replace(".", _DOT)
    if len(inner.split()) < 3 or inner[:24] in sent:
        return GAP
    return _mask(inner, words)


def _mask(text: str, words: frozenset[str]) -> str:
    text = _VARIABLE.sub(GAP, text)
    first = True

    def echo(match: re.Match[str]) -> str:
        nonlocal first
        leading = first and match.start() == 0
        first = False
        return match[0] if leading or match[0] not in words else GAP

    return _WORD.sub(echo, text)
