"""From what a model states to a lesson, or to a refusal with a reason.

Nothing is taken from the model that code can know: outcome, ids and the place of a quote come from the
trace. Each guard answers something that real models did.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from t2s_pipeline.analysts.lesson import Evidence, Lesson, LessonKind, RefusedLesson, Signature
from t2s_pipeline.analysts.llm import leaks
from t2s_pipeline.analysts.llm.case import Case
from t2s_pipeline.analysts.llm.draft import LessonDraft
from t2s_pipeline.analysts.llm.prompting import example_lesson
from t2s_pipeline.analysts.llm.quotes import Found, find_quote, says_something
from t2s_pipeline.traces.record import string_leaves

MOST_LESSONS = 3
"""Per analyst and trace, as in Trace2Skill (arXiv 2603.25158): what matters most, not everything."""
_MOST_SENTENCE = 400
_MOST_NAME = 80
_MOST_HEADLINE = 300
_MOST_DETAIL = 600
_LEAST_WORDS = 3
"""Words of the shortest advice one can follow."""
_COPIED = 90.0
"""Similarity (0..100) from which a text is the prompt's example and not the model's own."""

_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)

_CODE = re.compile(r"`([^`\n]+)`")
_URL = re.compile(r"https?://[^\s)>\]\"'`]+", re.IGNORECASE)
_TO_THE_READER = re.compile(
    r"\b(?:ignore|disregard|forget|override) (?:\w+ ){0,3}(?:instructions?|prompts?|rules|guidelines)\b"
    r"|\byou are (?:now )?an? (?:ai|assistant|language model)\b|\bsystem prompt\b|<\|\w+\|>",
    re.IGNORECASE,
)
_ONE_SHELL_LINE = re.compile(r"\b(?:curl|wget)\b[^\n]*\|\s*(?:ba|z)?sh\b|\brm -rf\b|\bsudo\b", re.IGNORECASE)


@dataclass(frozen=True)
class Judged:
    """What became of the drafts of one analyst and trace."""

    lessons: tuple[Lesson, ...]
    refused: tuple[RefusedLesson, ...]


class _Refused(Exception):
    """A draft is no lesson; the message says why."""


def judge(
    drafts: Sequence[LessonDraft],
    shown: Sequence[Case],
    taught_by: Case,
    analyst: str,
    elsewhere: leaks.Elsewhere,
) -> Judged:
    """The lessons among the drafts, and the refused ones. `shown[i]` is the case that holds the evidence of
    `drafts[i]`, `taught_by` the trace the lessons count for.
    """
    lessons: dict[str, Lesson] = {}
    refused: list[RefusedLesson] = []
    for position, (draft, case) in enumerate(zip(drafts, shown, strict=True)):
        try:
            if position >= MOST_LESSONS:
                raise _Refused(f"more than {MOST_LESSONS} lessons")
            lesson = _lesson(draft, case, taught_by, analyst, elsewhere)
            if lesson.do in lessons:
                raise _Refused("says the same as another lesson of this trace")
            lessons[lesson.do] = lesson
        except _Refused as refusal:
            refused.append(
                RefusedLesson(
                    skill=taught_by.record.skill,
                    trace_id=taught_by.record.trace_id,
                    analyst=analyst,
                    reason=str(refusal),
                    text=_clean(f"{draft.when}: {draft.do}")[:_MOST_SENTENCE],
                )
            )
    return Judged(tuple(lessons.values()), tuple(refused))


def _lesson(
    draft: LessonDraft, case: Case, taught_by: Case, analyst: str, elsewhere: leaks.Elsewhere
) -> Lesson:
    when, do, because = (_clean(text) for text in (draft.when, draft.do, draft.because))
    _check_form(when, do, because)
    _check_own(draft)
    found = _found(draft, case)
    _check_harmless(f"{when}\n{do}\n{because}", case)
    because = _check_leaks(when, do, because, case, elsewhere)
    record = taught_by.record
    return Lesson(
        skill=record.skill,
        kind=draft.kind,
        engine="llm",
        analyst=analyst,
        trace_id=record.trace_id,
        task_id=record.task_id,
        outcome=record.outcome.status,
        when=when,
        do=do,
        because=because,
        section=draft.section,
        signature=_signature(draft, case, found, analyst),
        evidence=(
            Evidence(
                trace_id=case.record.trace_id,
                first_step=found.step,
                last_step=found.step,
                quote=found.quote,
            ),
        ),
    )


def _check_form(when: str, do: str, because: str) -> None:
    if len(do.split()) < _LEAST_WORDS:
        raise _Refused("no advice one could follow")
    if not when or not because:
        raise _Refused("does not say when it applies, or why")
    if max(map(len, (when, do, because))) > _MOST_SENTENCE:
        raise _Refused(f"a sentence of more than {_MOST_SENTENCE} characters")


def _check_own(draft: LessonDraft) -> None:
    """A weak model gives the prompt's example back."""
    example = example_lesson()
    for name in ("quote", "do", "because"):
        if fuzz.ratio(getattr(draft, name).strip().lower(), example[name].lower()) >= _COPIED:
            raise _Refused("copies the example of the prompt")


def _found(draft: LessonDraft, case: Case) -> Found:
    """Where the evidence stands. The model's numbers say where to look; the step is the one that has the
    quote.
    """
    first, last = draft.first_step, draft.last_step
    if not 1 <= first <= last <= len(case.steps):
        raise _Refused(f"steps {first} to {last} are not in the trace, which has {len(case.steps)}")
    if not says_something(draft.quote):
        raise _Refused("the quote is too short to show anything")
    found = find_quote(case, first, last, draft.quote)
    if found is None:
        raise _Refused(f"the quote is not in steps {first} to {last}")
    return found


def _check_leaks(when: str, do: str, because: str, case: Case, elsewhere: leaks.Elsewhere) -> str:
    """The reason with the task's constants masked; in the advice itself they are a leak."""
    advice = f"{when}\n{do}"
    talk = leaks.answer_talk(f"{advice}\n{because}", lambda word: leaks.trace_says(word, case))
    if talk is not None:
        raise _Refused(f"leak: speaks of `{talk}`")
    if leaks.names_task(f"{advice}\n{because}", case):
        raise _Refused("leak: names the task")
    own = leaks.own_constants(_URL.sub(" ", advice), case, elsewhere)
    if own:
        raise _Refused(f"leak: `{own[0]}` occurs in this task only")
    return leaks.without(because, leaks.own_constants(because, case, elsewhere))


def _check_harmless(text: str, case: Case) -> None:
    """Addresses and commands must be an agent's own, from a run that went well."""
    if _TO_THE_READER.search(text):
        raise _Refused("speaks to the reader's instructions instead of the task")
    for pattern, what in ((_URL, "address"), (_ONE_SHELL_LINE, "command")):
        match = pattern.search(text)
        if match and not _used_with_success(match[0], case):
            raise _Refused(f"the {what} `{match[0]}` is not one the agent used with success")


def _used_with_success(text: str, case: Case) -> bool:
    if case.record.outcome.status != "success":
        return False
    return any(text in leaf for call in case.run.calls for leaf in string_leaves(dict(call.arguments)))


def _signature(draft: LessonDraft, case: Case, found: Found, analyst: str) -> Signature:
    """What the lesson is about. A repair whose quote is a refusal is about that refusal: its template is
    the same in every trace, which no two readers' words are, and what to do about it is for the merge.
    """
    tool = draft.tool.strip() if draft.tool.strip() in case.tools else ""
    if draft.kind == "repair":
        for call in case.run.calls:
            error = call.error
            if call.step_id == found.step and error is not None and _same_line(error.raw, found.quote):
                return Signature(pattern=analyst, tool=call.tool, trigger=error.template)
    trigger = _name(draft.trigger) or _name(draft.when)
    action = _name(draft.action) or _name(draft.do)
    return Signature(pattern=analyst, tool=tool, trigger=trigger, action=action, negated=draft.negated)


def problem_with_rule(headline: str, detail: str, lessons: Sequence[Lesson]) -> str | None:
    """Why the words of a merge cannot stand; None when they can. A merge may choose and shorten; what it
    adds that no lesson says is invented.
    """
    if len(headline.split()) < _LEAST_WORDS:
        return "`headline` is no advice one could follow"
    if len(headline) > _MOST_HEADLINE or len(detail) > _MOST_DETAIL:
        return f"`headline` has more than {_MOST_HEADLINE} characters, or `detail` more than {_MOST_DETAIL}"
    given = "\n".join(f"{le.when}\n{le.do}\n{le.because}\n{le.signature.tool}" for le in lessons).lower()
    text = f"{headline}\n{detail}"
    if _TO_THE_READER.search(text):
        return "the rule speaks to the reader's instructions instead of the task"
    talk = leaks.answer_talk(text, lambda word: word.lower() in given)
    if talk is not None:
        return f"the rule speaks of `{talk}`"
    named = [*leaks.constants_of(text), *_CODE.findall(text), *_URL.findall(text)]
    for name in named:
        if name.lower() not in given:
            return f"`{name}` is in no lesson"
    command = _ONE_SHELL_LINE.search(text)
    if command and command[0].lower() not in given:
        return f"`{command[0]}` is in no lesson"
    return None


def _same_line(error: str, quote: str) -> bool:
    return quote in error or error in quote


def _name(text: str) -> str:
    """A phrase as the name of a finding: lower case, no quotation marks, no final stop."""
    return re.sub(r"[`'\"“”]", "", _clean(text)).strip(" .,:;!").lower()[:_MOST_NAME].strip()


def _clean(text: str) -> str:
    """One line without control or invisible characters, those apart that join letters into words."""
    return " ".join(_UNSEEN.sub(" ", text).split())


def with_kind(draft: LessonDraft, kind: LessonKind) -> LessonDraft:
    """The draft as the kind that its analyst looks for."""
    return draft.model_copy(update={"kind": kind})
