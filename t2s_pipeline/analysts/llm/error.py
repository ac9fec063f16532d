"""The error analyst: what a run that failed, or of which nobody knows, should have done differently."""

from __future__ import annotations

from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.desk import Desk, Stated, run_message
from t2s_pipeline.analysts.llm.draft import Lessons
from t2s_pipeline.analysts.llm.guards import with_kind
from t2s_pipeline.analysts.llm.investigation import investigate
from t2s_pipeline.analysts.llm.prompting import prompt
from t2s_pipeline.analysts.llm.view import view_of


class ErrorAnalyst:
    """One call by default; several with tools over the trace when settings ask for `agentic`."""

    name = "error"

    async def analyse(self, case: Case, sibling: Case | None, desk: Desk) -> Stated:
        """Repairs, and efforts to leave out. A sibling that succeeded is only looked at on demand."""
        if desk.settings.error_mode == "agentic":
            drafts = await investigate(self.name, case, sibling, desk)
        else:
            system = prompt("error", "lesson", reading=desk.reading)
            shown = run_message(case, view_of(case, desk.settings.trace_tokens).text)
            reply = await desk.ask(self.name, system, [shown], Lessons, [case])
            drafts = reply.lessons
        kept = [draft if draft.kind != "preserve" else with_kind(draft, "repair") for draft in drafts]
        return Stated(kept, [case] * len(kept), case)
