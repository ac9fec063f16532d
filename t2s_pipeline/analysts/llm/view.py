"""A trace cut to a budget: full where it failed, decided and spent, short or left out elsewhere.

Texts are shown verbatim, never escaped, so that what a model copies from the view can be found in the
trace. What is left out is marked in square brackets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from t2s_pipeline.analysts.llm.card import card, costly_calls
from t2s_pipeline.analysts.llm.case import Case, Step, arguments_text
from t2s_pipeline.llm.tokens import utf8_length
from t2s_pipeline.traces.record import text_of

_BYTES_PER_TOKEN = 4
_HEADING = 48
"""Bytes that the heading of a piece and a mark of omission take, about."""
_LEAST = 60
"""Bytes below which showing a part of a text is worse than leaving it out."""
_HEAD_SHARE = 0.6
"""Of a shortened text, how much is its beginning; errors tell themselves at the end."""
_SAME_FROM = 80
"""Characters from which a text that was shown before is referred to instead of repeated."""

FAILURE, DECISION, COST, OTHER, INSTRUCTIONS = range(5)
_FIRST_HELPING = {FAILURE: 2_000, DECISION: 800, COST: 600, OTHER: 300, INSTRUCTIONS: 1_200}
"""Bytes a piece of each rank gets before any piece of a lower rank gets something."""
_IN_FULL = (FAILURE, DECISION)
"""Ranks that get what room is left; of the others a beginning and an end are enough to know what it was."""


@dataclass(frozen=True)
class View:
    """What an analyst is sent of a trace."""

    text: str
    tokens: int
    """Estimated tokens of the view."""
    trace_tokens: int
    """Estimated tokens of the trace, had it been sent whole."""


@dataclass
class _Piece:
    """A text of a step, and how much of it may be shown."""

    step: int
    label: str
    text: str
    rank: int
    size: int = 0
    shown: int = 0


def view_of(case: Case, tokens: int) -> View:
    """The trace within about so many tokens."""
    head = card(case)
    pieces = list(_pieces(case))
    for piece in pieces:
        piece.size = utf8_length(piece.text)
    room = tokens * _BYTES_PER_TOKEN - utf8_length(head)
    _serve(pieces, room)
    text = f"{head}\n\n{_rendered(case, pieces)}"
    return View(
        text=text,
        tokens=utf8_length(text) // _BYTES_PER_TOKEN,
        trace_tokens=case.size // _BYTES_PER_TOKEN,
    )


def steps_in_full(case: Case, first: int, last: int, most_bytes: int) -> str:
    """The steps of a range as the view would show them, each shortened only when they are too long."""
    pieces = [piece for piece in _pieces(case) if first <= piece.step <= last]
    for piece in pieces:
        piece.size = utf8_length(piece.text)
        piece.rank = FAILURE
    _serve(pieces, most_bytes)
    return "\n".join(_step_lines(case, pieces)) if pieces else "[there are no such steps]"


def _pieces(case: Case) -> Iterator[_Piece]:
    """All texts of the trace in order, ranked."""
    ranks = _ranks(case)
    last = len(case.steps)
    user_spoke = False
    for step in case.steps:
        number, source = step["step_id"], step["source"]
        message = text_of(step.get("message"))
        if source == "system":
            yield _Piece(number, "", message, INSTRUCTIONS)
            continue
        if source == "user":
            yield _Piece(number, "", message, OTHER if user_spoke else FAILURE)
            user_spoke = True
            continue
        rank = ranks.get(number, OTHER)
        if step.get("reasoning_content"):
            yield _Piece(number, "thought", step["reasoning_content"], DECISION)
        yield _Piece(number, "", message, FAILURE if number == last else DECISION)
        for call in step.get("tool_calls") or ():
            rank_of_call = FAILURE if rank == FAILURE else DECISION
            yield _Piece(
                number, f"call {call['function_name']}", arguments_text(call["arguments"]), rank_of_call
            )
        for result in (step.get("observation") or {}).get("results", ()):
            yield _Piece(number, "result", text_of(result.get("content")), rank)


def _ranks(case: Case) -> dict[int, int]:
    """Rank of the results of a step: failures and what put them right first, then what cost most."""
    ranks = {call.step_id: COST for call in costly_calls(case)}
    for repeat in case.repeats:
        ranks.update((call.step_id, COST) for call in repeat.calls[1:2])
    for repair in case.repairs:
        ranks[repair.failed.step_id] = FAILURE
        if repair.worked is not None:
            ranks[repair.worked.step_id] = FAILURE
    return ranks


def _serve(pieces: Sequence[_Piece], room: int) -> None:
    """Share the room out: first a helping for each rank in turn, then what is left to those in full."""
    by_rank = {rank: [p for p in pieces if p.rank == rank and p.text.strip()] for rank in _FIRST_HELPING}
    for rank, served in by_rank.items():
        room -= _fill(served, _FIRST_HELPING[rank], room)
    for rank in _IN_FULL:
        room -= _fill(by_rank[rank], room, room)


def _fill(pieces: Sequence[_Piece], most: int, room: int) -> int:
    """Raise what the pieces may show to one common level, at most `most`; returns the room it took."""
    low, high = 0, most if room > 0 else 0
    if _taken(pieces, high) <= room:
        low = high
    while low < high:
        level = (low + high + 1) // 2
        if _taken(pieces, level) <= room:
            low = level
        else:
            high = level - 1
    taken = _taken(pieces, low)
    for piece in pieces:
        if piece.size <= low or low >= _LEAST:
            piece.shown = max(piece.shown, min(piece.size, low))
    return taken


def _taken(pieces: Sequence[_Piece], level: int) -> int:
    """Bytes it takes to show the pieces up to a level, the heading of each counted once. Of a text longer
    than the level nothing is shown when the level is too low to be worth it.
    """
    taken = 0
    for piece in pieces:
        size, shown = piece.size, piece.shown
        if size <= shown or level <= shown or (level < _LEAST and level < size):
            continue
        taken += (size if size < level else level) - shown + (0 if shown else _HEADING)
    return taken


def _rendered(case: Case, pieces: Sequence[_Piece]) -> str:
    """The pieces as text; a stretch of steps of which nothing is shown becomes one line."""
    by_step: dict[int, list[_Piece]] = {}
    for piece in pieces:
        by_step.setdefault(piece.step, []).append(piece)
    lines: list[str] = []
    hidden: list[Step] = []
    told: dict[str, int] = {}
    for step in case.steps:
        of_step = by_step.get(step["step_id"], [])
        if not any(piece.shown for piece in of_step):
            hidden.append(step)
            continue
        lines.extend(_hidden_lines(hidden))
        hidden = []
        lines.extend(_lines_of_step(step, of_step, told))
    lines.extend(_hidden_lines(hidden))
    return "\n".join(lines)


def _step_lines(case: Case, pieces: Sequence[_Piece]) -> Iterator[str]:
    for number in dict.fromkeys(piece.step for piece in pieces):
        yield from _lines_of_step(case.steps[number - 1], [p for p in pieces if p.step == number], {})


def _lines_of_step(step: Step, pieces: Sequence[_Piece], told: dict[str, int]) -> Iterator[str]:
    yield f"--- step {step['step_id']}, {step['source']}"
    for piece in pieces:
        if not piece.text.strip():
            if piece.label:
                yield f"[{piece.label}: empty]"
            continue
        if piece.label:
            yield f"[{piece.label}]"
        before = told.setdefault(piece.text, piece.step) if len(piece.text) >= _SAME_FROM else piece.step
        yield f"[the same text as in step {before}]" if before != piece.step else _shortened(piece)


def _shortened(piece: _Piece) -> str:
    if piece.shown >= piece.size:
        return piece.text
    if not piece.shown:
        return f"[{len(piece.text):,} characters left out]"
    length = int(len(piece.text) * piece.shown / piece.size)
    head = int(length * _HEAD_SHARE)
    tail = length - head
    gone = len(piece.text) - length
    return f"{piece.text[:head]}\n[{gone:,} characters left out]\n{piece.text[len(piece.text) - tail :]}"


def _hidden_lines(steps: Sequence[Step]) -> list[str]:
    if not steps:
        return []
    first, last = steps[0]["step_id"], steps[-1]["step_id"]
    tools = Counter(call["function_name"] for step in steps for call in step.get("tool_calls") or ())
    calls = ", ".join(f"{tool} {count}" for tool, count in sorted(tools.items()))
    which = f"step {first}" if first == last else f"steps {first} to {last}"
    return [f"[{which} left out{': ' + calls if calls else ''}]"]
