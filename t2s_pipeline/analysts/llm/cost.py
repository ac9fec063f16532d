"""The cost analyst: the spans of a run that cost most and changed nothing (ClawTrace, arXiv 2604.23853)."""

from __future__ import annotations

from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.desk import Desk, Stated, run_message
from t2s_pipeline.analysts.llm.draft import Lessons
from t2s_pipeline.analysts.llm.guards import with_kind
from t2s_pipeline.analysts.llm.prompting import prompt
from t2s_pipeline.analysts.llm.view import view_of


class CostAnalyst:
    """One call."""

    name = "cost"

    async def analyse(self, case: Case, sibling: Case | None, desk: Desk) -> Stated:  # noqa: ARG002
        """What to prune."""
        system = prompt("cost", "lesson", reading=desk.reading)
        shown = run_message(case, view_of(case, desk.settings.trace_tokens).text)
        reply = await desk.ask(self.name, system, [shown], Lessons, [case])
        drafts = [with_kind(draft, "prune") for draft in reply.lessons]
        return Stated(drafts, [case] * len(drafts), case)
