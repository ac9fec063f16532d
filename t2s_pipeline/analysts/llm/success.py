"""The success analyst: what a run that went well did that others should do too."""

from __future__ import annotations

from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.desk import Desk, Stated, run_message
from t2s_pipeline.analysts.llm.draft import Lessons
from t2s_pipeline.analysts.llm.guards import with_kind
from t2s_pipeline.analysts.llm.prompting import prompt
from t2s_pipeline.analysts.llm.view import view_of


class SuccessAnalyst:
    """One call."""

    name = "success"

    async def analyse(self, case: Case, sibling: Case | None, desk: Desk) -> Stated:  # noqa: ARG002
        """What to preserve."""
        system = prompt("success", "lesson", reading=desk.reading)
        shown = run_message(case, view_of(case, desk.settings.trace_tokens).text)
        reply = await desk.ask(self.name, system, [shown], Lessons, [case])
        drafts = [with_kind(draft, "preserve") for draft in reply.lessons]
        return Stated(drafts, [case] * len(drafts), case)
