"""An analysis in several turns: the model looks further into the trace before it concludes.

Tools are asked for in the structured reply itself and not through the endpoint's tool calls, which many
compatible servers do not have; so every turn is validated, cached and counted like any other call.
"""

from __future__ import annotations

from collections.abc import Sequence

from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.desk import Desk, run_message
from t2s_pipeline.analysts.llm.draft import LessonDraft, Turn
from t2s_pipeline.analysts.llm.prompting import prompt
from t2s_pipeline.analysts.llm.view import steps_in_full, view_of
from t2s_pipeline.llm.calls import Message

_MOST_SHOWN = 8_000
"""Bytes a tool answers with at most."""
_MOST_HITS = 12
_AROUND = 80
"""Characters shown on each side of a hit."""
_LAST_TURN = "This is your last turn: conclude now with `lessons`."


async def investigate(analyst: str, case: Case, sibling: Case | None, desk: Desk) -> Sequence[LessonDraft]:
    """What the model concludes after at most `max_turns` calls. Raises CallFailed or BudgetExceeded."""
    system = prompt("error", "agentic", "lesson", reading=desk.reading)
    turns = [run_message(case, view_of(case, desk.settings.trace_tokens).text)]
    cases = [case]
    for left in range(desk.settings.max_turns - 1, -1, -1):
        reply = await desk.ask(analyst, system, turns, Turn, cases)
        if reply.tool == "conclude" or not left:
            return reply.lessons
        answer = _answer(reply, case, sibling, desk)
        if reply.tool == "compare_with_success" and sibling is not None and sibling not in cases:
            cases.append(sibling)
        turns.append(Message(role="assistant", content=reply.model_dump_json()))
        turns.append(Message(role="user", content=f"{answer}\n\n{_LAST_TURN}" if left == 1 else answer))
    return ()


def _answer(turn: Turn, case: Case, sibling: Case | None, desk: Desk) -> str:
    """What a tool shows."""
    if turn.tool == "read_steps":
        return steps_in_full(case, turn.first_step, turn.last_step, _MOST_SHOWN)
    if turn.tool == "search":
        return _hits(case, turn.text)
    if sibling is None:
        return "[there is no other run of this task that reached its goal]"
    view = view_of(sibling, desk.settings.trace_tokens // 2)
    return f"# Another run of the task, which reached its goal\n\n{view.text}"


def _hits(case: Case, wanted: str) -> str:
    """Where a text occurs, one line a hit."""
    needle = " ".join(wanted.split()).lower()
    if not needle:
        return "[nothing to search for]"
    lines: list[str] = []
    for number in range(1, len(case.steps) + 1):
        for text in case.texts(number):
            at = text.lower().find(needle)
            if at < 0:
                continue
            if len(lines) == _MOST_HITS:
                return "\n".join([*lines, "[more hits left out]"])
            part = text[max(0, at - _AROUND) : at + len(needle) + _AROUND]
            lines.append(f"step {number}: {' '.join(part.split())}")
    return "\n".join(lines) if lines else "[it does not occur in the run]"
