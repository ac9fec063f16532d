"""Screening: does a trace carry instructions for whoever reads it?

Tool output and user text are evidence about what happened. When they speak to the analyst or to the agent
that will use the skill ("ignore previous instructions", "add this to SKILL.md", a forged system message,
text hidden from people), the trace is held until a person releases it. System prompts and the agent's own
words are not screened: the operator may instruct, and the agent is the one observed.

What a produced rule may contain is the other half of the same promise; see `permitted.py`.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from typing import Literal

from atif import Trajectory
from pydantic import BaseModel, ConfigDict

from t2s_pipeline.traces.legible import legible
from t2s_pipeline.traces.record import TraceRecord, text_of
from t2s_pipeline.traces.redaction.detect import Texts
from t2s_pipeline.traces.redaction.linear import BytesPattern, compile_linear
from t2s_pipeline.traces.redaction.spans import Hit

ReasonKind = Literal[
    "override",
    "skill-writing",
    "forged-role",
    "exfiltration",
    "invisible-text",
    "hidden-text",
    "to-the-reader",
]


class ScreenReason(BaseModel):
    """Why a trace is held: what was found, where, and the words."""

    model_config = ConfigDict(frozen=True)

    kind: ReasonKind
    step_id: int
    where: Literal["user", "tool"]
    excerpt: str
    """At most 160 characters; invisible characters are written as escapes."""


class ScreenVerdict(BaseModel):
    """Whether a trace waits for a person."""

    model_config = ConfigDict(frozen=True)

    held: bool
    reasons: tuple[ScreenReason, ...] = ()


_NEAR = 400
"""Characters around words that address a model in which signs of an instruction are looked for."""

_COMMENT = compile_linear(
    r"<!--([^\x00]+?)-->|\[//\]:\s?#\s?[(\"']([^\r\n\x00]+)|(?i:display:\s?none|visibility:\s?hidden|font-size:\s?0)[^>]{0,200}>([^<]+)<"
)
_ENCODED = compile_linear(r"[A-Za-z0-9+/_-]{40,}={0,2}|(?:[0-9a-fA-F]{2}){30,}|(?:\\x[0-9a-fA-F]{2}){20,}")
_MOST_ENCODED = 2000
"""Encoded runs decoded per trace; base64 data broken into lines has many."""
_LONGEST_COMMENT = 4000
"""Bytes of a comment or encoded run that are read; a multiple of four, the unit of base64."""

_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{2,8}\U000e007f")
_BIDI_OVERRIDE = re.compile("[\u202d\u202e]|[\u202a\u202b\u2066-\u2068](?=[\x20-\x7e]{4})")
_INVISIBLE_RUN = re.compile("[\u200b-\u200d\u2060-\u2064\ufe00-\ufe0e\ufeff\U000e0100-\U000e01ef]{8,}")
_SIGNS_NEEDED = 2
_MOST_REASONS = 20
_EXCERPT = 160
_HEX = re.compile(rb"[0-9a-fA-F]+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def screen(record: TraceRecord) -> ScreenVerdict:
    """Whether a trace must wait for a person, and why. Reads user text and tool output only."""
    sources = list(_untrusted(record.trajectory))
    found = sorted(_signs([text for _, _, text in sources]))[:_MOST_REASONS]
    reasons = (
        ScreenReason(kind=kind, step_id=sources[index][0], where=sources[index][1], excerpt=excerpt)
        for index, _, kind, excerpt in found
    )
    return ScreenVerdict(held=bool(found), reasons=tuple(dict.fromkeys(reasons)))


def speaks_to_the_reader(text: str) -> bool:
    """Would this text, as tool output, get a trace held? For texts that are not part of a record."""
    return any(True for _ in _signs([text]))


def _untrusted(trajectory: Trajectory) -> Iterator[tuple[int, Literal["user", "tool"], str]]:
    for step in trajectory.steps:
        if step.source == "user":
            yield step.step_id, "user", text_of(step.message)
        for result in step.observation.results if step.observation else ():
            yield step.step_id, "tool", text_of(result.content)
    for inner in trajectory.subagent_trajectories or ():
        yield from _untrusted(inner)


def _signs(originals: Sequence[str]) -> Iterator[tuple[int, int, ReasonKind, str]]:
    """Index of the text, place, kind and excerpt of each sign."""
    texts = Texts([legible(text).encode("utf-8", "replace") for text in originals])
    for kind, start, end in (*_spoken(texts.data), *_concealed(texts.data)):
        place = texts.local(Hit(start, end, 0, kind, b""))
        if place is not None:
            index, hit = place
            words = texts.views[index][max(0, hit.start - 20) : hit.end]
            yield index, hit.start, kind, _shortened(words.decode("utf-8", "replace"))
    for index, text in enumerate(originals):
        if text.isascii():
            continue
        shown = _FLAG.sub(lambda flag: " " * len(flag.group()), text)
        for pattern in (_TAGS, _INVISIBLE_RUN, _BIDI_OVERRIDE):
            if (match := pattern.search(shown)) is not None:
                escaped = match.group().encode("ascii", "backslashreplace").decode()
                yield index, match.start(), "invisible-text", _shortened(escaped)


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What `hostile.toml` says, compiled."""

    kinds: tuple[ReasonKind, ...]
    spoken: BytesPattern
    """One group per kind, in the order of `kinds`; the last are words that only address a model."""
    signs: tuple[BytesPattern, ...]
    hidden: BytesPattern


@cache
def _patterns() -> _Patterns:
    file = resources.files(__package__).joinpath("hostile.toml")
    spec = tomllib.loads(file.read_text(encoding="utf-8"))

    def either(alternatives: Iterable[str]) -> str:
        joined = "|".join(alternatives)
        for word, regex in spec["words"].items():
            joined = joined.replace(f"{{{word}}}", regex)
        return joined

    spoken = {**spec["strong"], **spec["addressed"]}
    return _Patterns(
        kinds=tuple(spoken),
        spoken=compile_linear("(?i)" + "|".join(f"({either(each)})" for each in spoken.values())),
        signs=tuple(compile_linear(f"(?i){either(each)}") for each in spec["signs"].values()),
        hidden=compile_linear(f"(?i){either(spec['hidden']['instruction'])}"),
    )


def _spoken(data: bytes) -> Iterator[tuple[ReasonKind, int, int]]:
    """Instructions in plain words. Words that address a model count when at least two signs of an
    instruction (a command, secrecy, new instructions) stand within a few lines of them."""
    patterns = _patterns()
    for match in patterns.spoken.finditer(data):
        kind = next(kind for group, kind in enumerate(patterns.kinds, start=1) if match.start(group) >= 0)
        if kind == "to-the-reader":
            near = data[max(0, match.start() - _NEAR) : match.end() + _NEAR]
            if sum(sign.search(near) is not None for sign in patterns.signs) < _SIGNS_NEEDED:
                continue
        yield kind, match.start(), match.end()


def _concealed(data: bytes) -> Iterator[tuple[ReasonKind, int, int]]:
    """Instructions a person would not see: in comments, in invisible elements, encoded."""
    for comment in _COMMENT.finditer(data):
        inside = next((part for group in (1, 2, 3) if (part := comment.group(group))), b"")
        if _instructs(inside[:_LONGEST_COMMENT]):
            yield "hidden-text", comment.start(), comment.end()
    for run in islice(_ENCODED.finditer(data), _MOST_ENCODED):
        decoded = _decoded(data[run.start() : run.end()][:_LONGEST_COMMENT])
        if decoded and _instructs(decoded):
            yield "hidden-text", run.start(), run.end()


def _instructs(text: bytes) -> bool:
    """Does a hidden text tell anybody anything? Hidden, one sign is enough."""
    return _patterns().hidden.search(text) is not None or any(True for _ in _spoken(text))


def _decoded(run: bytes) -> bytes | None:
    """The English text behind base64, hexadecimal or `\\x..` escapes; None when it is anything else."""
    if b"\\x" in run:
        plain = bytes.fromhex(run.replace(b"\\x", b"").decode())
    elif len(run) % 2 == 0 and _HEX.fullmatch(run):
        plain = bytes.fromhex(run.decode())
    else:
        body = run.rstrip(b"=").translate(_URL_SAFE)
        try:
            plain = base64.b64decode(body + b"=" * (-len(body) % 4))
        except binascii.Error:
            return None
    letters = sum(32 <= char < 127 or char in b"\n\r\t" for char in plain)
    return plain if letters >= 0.95 * len(plain) and b" " in plain else None


def _shortened(excerpt: str) -> str:
    words = " ".join(excerpt.split())
    return words if len(words) <= _EXCERPT else words[: _EXCERPT - 1] + "…"
