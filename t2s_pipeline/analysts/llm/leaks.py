"""What must not get from one task into a lesson: its constants, its id, and talk of the right answer.

A lesson that names a file, an id or an amount of one task is a memory of that task (the leakage audit of
SkillEvolver, arXiv 2605.10500). Whether a constant belongs to one task is looked up in the traces of other
tasks: what occurs there too is part of the domain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b

from t2s_pipeline.analysts.llm.case import Case, arguments_text
from t2s_pipeline.traces.record import TraceRecord, text_of

Elsewhere = Callable[[str, Case], bool]
"""Whether a constant occurs in a trace of the skill that is of another task than the case."""

OTHER_TASKS = 24
"""Traces of other tasks that are looked through for a constant."""
GAP = "…"

_ENDINGS = (
    "csv|tsv|xlsx?|json|jsonl|txt|md|py|ipynb|ts|sql|db|sqlite|parquet|pdf|docx?|html?|xml|ya?ml|toml|ini|cfg"
    "|log|zip|gz|png|jpe?g|sh|cpp|java"
)
_FILE = rf"[\w.\-]*\w\.(?:{_ENDINGS})\b"
_PATH = r"(?:[A-Za-z]:)?[\w.\-~]*(?:[/\\][\w.\-]+){2,}"
_MAIL = r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+"
_DATE = r"\b\d{4}-\d{2}-\d{2}\b"
_IDENTIFIER = r"\b(?=[\w\-]*\d)(?=[\w\-]*[A-Za-z])[A-Za-z0-9][\w\-]{4,}\b"
_AMOUNT = r"(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|(?<![\w.])\d+\.\d+(?!\w)|(?<![\w.])\d{3,}(?![\w])"
_CONSTANT = re.compile("|".join((_MAIL, _PATH, _FILE, _DATE, _IDENTIFIER, _AMOUNT)))
_HAS_ANY = re.compile(r"[\d@/\\]|\.\w")
"""What every constant has in it, looked for first: most sentences have none."""
_TERM = re.compile(
    r"(?:u?int|float|utf|sha|md|base|iso|cp|ascii|latin|python|py|http|sqlite|mysql|oauth|es|x|arm|win|ipv|top|step)"
    r"[-_]?\d+(?:[-_]\d+)?",
    re.IGNORECASE,
)
"""Names with digits that belong to computing and not to a task."""

_ANSWER_TALK = re.compile(
    r"\bexpected (?:answer|output|result|solution|value)s?\b"
    r"|\b(?:correct|right|reference|official|true) (?:answer|solution)s?\b"
    r"|\bgold(?:en)?[- ](?:answer|label|standard|solution|query|queries|sql|patch|output|truth)(?:s|es)?\b"
    r"|\bground[- ]truth\b|\banswer key\b|\bhidden tests?\b|\b(?:auto)?grad(?:er|ers|ing script)\b"
    r"|\breward(?:s|ed)?\b|\bverifiers?\b|\bbenchmarks?\b|\btest harness\b",
    re.IGNORECASE,
)
_GOLD = re.compile(r"\bgold(?:en)?\b", re.IGNORECASE)
_LEAST_TASK_ID = 3
"""Characters of a task id that can be told from an ordinary number or word."""


def answer_talk(text: str, said: Callable[[str], bool]) -> str | None:
    """The words in `text` that speak of the right answer or of who judges it; None without any. Single
    words that were `said` before are the domain: an airline has gold members, a shop gives rewards.
    """
    for match in _ANSWER_TALK.finditer(text):
        word = match[0]
        if " " in word or "-" in word or not said(word):
            return word
    gold = _GOLD.search(text)
    return gold[0] if gold and not said(gold[0]) else None


def names_task(text: str, case: Case) -> bool:
    """Whether `text` holds the id of the task or of the trace."""
    ids = (case.record.task_id, case.record.trace_id, case.record.trajectory.session_id)
    return any(
        _occurs(name, text) for name in ids if name and len(name) >= _LEAST_TASK_ID and not name.isalpha()
    )


def constants_of(text: str) -> list[str]:
    """What looks like a constant: file names, paths, ids, dates, amounts of three digits or more."""
    if not _HAS_ANY.search(text):
        return []
    found = dict.fromkeys(match[0].rstrip(".") for match in _CONSTANT.finditer(text))
    return [constant for constant in found if not _TERM.fullmatch(constant)]


def own_constants(text: str, case: Case, elsewhere: Elsewhere) -> list[str]:
    """The constants in `text` that belong to the task of the case alone."""
    return [
        constant
        for constant in constants_of(text)
        if constant not in case.tools and not elsewhere(constant, case)
    ]


def without(text: str, constants: Sequence[str]) -> str:
    """`text` with constants replaced by a gap."""
    for constant in sorted(constants, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(constant)}(?!\w)", GAP, text)
    return text


class OtherTasks:
    """Looks constants up in some traces of other tasks: always the same ones for the same records."""

    def __init__(self, records: Sequence[TraceRecord]) -> None:
        self._records = records
        self._order = sorted(range(len(records)), key=lambda i: _shuffled(records[i].trace_id))
        self._texts: dict[str, str] = {}

    def __call__(self, constant: str, case: Case) -> bool:
        """Whether the constant occurs in one of the traces that are looked through."""
        looked = 0
        for position in self._order:
            record = self._records[position]
            if (record.task_id or record.trace_id) == case.task:
                continue
            if _occurs(constant, self._text(record)):
                return True
            looked += 1
            if looked == OTHER_TASKS:
                break
        return False

    def _text(self, record: TraceRecord) -> str:
        text = self._texts.get(record.trace_id)
        if text is None:
            text = self._texts[record.trace_id] = "\n".join(_texts_of(record))
        return text


def _texts_of(record: TraceRecord) -> Iterator[str]:
    for step in record.trajectory.steps:
        yield text_of(step.message)
        for call in step.tool_calls or ():
            yield call.function_name
            yield arguments_text(call.arguments)
        if step.observation is not None:
            for result in step.observation.results:
                yield text_of(result.content)


def trace_says(word: str, case: Case) -> bool:
    """Whether the trace has the word, letter case ignored."""
    lower = word.lower()
    return any(lower in text.lower() for text in _texts_of(case.record))


def _occurs(name: str, text: str) -> bool:
    """Whether a text has the name as a word of its own."""
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _shuffled(trace_id: str) -> bytes:
    return blake2b(trace_id.encode(), digest_size=8).digest()
