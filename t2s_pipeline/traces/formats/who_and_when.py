"""Who&When logs of failed multi-agent runs: `{question, history: [{role, content}], mistake_agent, ...}`.

Roles are the agents' names: `Orchestrator (thought)`, `Orchestrator (-> WebSurfer)`, `WebSurfer`. A request
to another agent is a call of that agent, its next message the result. The labels of the mistake and the
right answer are never read. `extra.turn` is the place in the history, to which the labels refer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import StepList, content_text, trajectory
from t2s_pipeline.traces.format import (
    Converted,
    Damage,
    Format,
    Head,
    Json,
    RawRecord,
    Record,
    SourceFile,
    unknown_keys,
)
from t2s_pipeline.traces.layouts import whichever
from t2s_pipeline.traces.outcomes import outcome_of_reward

_KEYS = frozenset(
    "question history ground_truth is_correct is_corrected question_ID level mistake_agent mistake_step "
    "mistake_reason mistake_type system_prompt".split()
)
_LABELS = {"mistake_agent", "mistake_step"}
_ROLE = re.compile(r"^(?P<speaker>.*?)\s*\((?P<note>.*)\)$")
_PEOPLE = ("human", "user")


class WhoAndWhen(Format):
    name = "who_and_when"
    title = "Who&When multi-agent log"

    def recognises(self, head: Head) -> int:
        found = any({"history", "question"} | _LABELS <= sample.keys() for sample in head.objects())
        return 80 if found else 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return whichever(source)

    def convert(self, record: Record) -> Converted:
        value = record.value
        if not isinstance(value.get("history"), list):
            raise TraceError("not a Who&When log: it has no list `history`")
        found = StepList()
        waiting: dict[str, str] = {}
        for turn, message in enumerate(value["history"]):
            _add(found, message, turn, waiting)
        steps, warnings = found.finish()
        solved = value.get("is_correct", value.get("is_corrected"))
        named = value.get("question_ID")
        return Converted(
            trajectory=trajectory(steps, agent="multi-agent"),
            outcome=outcome_of_reward(solved, "benchmark", record.source.settings),
            task_id=named if isinstance(named, str) else None,
            agent="multi-agent",
            warnings=(*warnings, *unknown_keys("log", value.keys(), _KEYS)),
        )


def _add(found: StepList, message: Json, turn: int, waiting: dict[str, str]) -> None:
    """Adds one turn; `waiting` holds the open request to each agent."""
    role = str(message.get("name") or message.get("role") or "unknown")
    text = content_text(message.get("content"))
    match = _ROLE.match(role)
    speaker, note = (match["speaker"], match["note"]) if match else (role, "")
    if speaker.lower() in _PEOPLE:
        found.add("user", text, extra={"turn": turn})
    elif not note and speaker in waiting:
        found.result(waiting.pop(speaker), text, extra={"turn": turn})
    elif note == "thought":
        found.add("agent", "", reasoning_content=text, extra={"turn": turn, "agent": speaker})
    else:
        asked = note.removeprefix("->").strip() if note.startswith("->") else None
        step = found.add("agent", "" if asked else text, extra={"turn": turn, "agent": speaker})
        if asked:
            found.call(step, None, asked, {"request": text})
            waiting[asked] = step["tool_calls"][0]["tool_call_id"]


FORMAT = WhoAndWhen()
