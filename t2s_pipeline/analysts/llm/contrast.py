"""The contrast analyst: a failure beside its nearest success at the same task.

The pairing is SkillGen's (arXiv 2605.10999).
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.desk import Desk, Stated
from t2s_pipeline.analysts.llm.draft import PairLessons
from t2s_pipeline.analysts.llm.guards import with_kind
from t2s_pipeline.analysts.llm.prompting import prompt
from t2s_pipeline.analysts.llm.view import view_of
from t2s_pipeline.llm.calls import Message
from t2s_pipeline.traces.record import TraceRecord


class ContrastAnalyst:
    """One call that shows both runs, each in half the room. The lessons count for the run that failed: it is
    the one that was read, and a success may be the better side of many failures.
    """

    name = "contrast"

    async def analyse(self, case: Case, sibling: Case | None, desk: Desk) -> Stated:
        """What decided between `case`, which failed, and `sibling`, which did not."""
        if sibling is None:
            raise ValueError("the contrast analyst needs a success of the same task")
        system = prompt("contrast", "lesson", reading=desk.reading)
        half = desk.settings.trace_tokens // 2
        views = (view_of(case, half).text, view_of(sibling, half).text)
        shown = Message(
            role="user",
            content=f"# Run A, which did not reach its goal\n\n{views[0]}\n\n"
            f"# Run B, which reached its goal\n\n{views[1]}",
        )
        reply = await desk.ask(self.name, system, [shown], PairLessons, [case, sibling])
        drafts = [with_kind(draft, "repair") for draft in reply.lessons]
        sides = [case if draft.in_run == "A" else sibling for draft in reply.lessons]
        return Stated(drafts, sides, case)


def nearest_success(record: TraceRecord, siblings: Sequence[TraceRecord]) -> TraceRecord | None:
    """The attempt at the same task that succeeded and is most like `record`: by the same agent if there is
    one, then by the sequence of its tools. None without a success.
    """
    own = _tools(record)
    successes = [
        other
        for other in siblings
        if other.trace_id != record.trace_id
        and other.task_id == record.task_id
        and other.outcome.status == "success"
        and not other.outcome.infra_error
    ]
    return min(
        successes,
        key=lambda other: (
            other.agent != record.agent,
            LCSseq.normalized_distance(own, _tools(other)),
            other.trace_id,
        ),
        default=None,
    )


def _tools(record: TraceRecord) -> list[str]:
    return [call.function_name for step in record.trajectory.steps for call in step.tool_calls or ()]
