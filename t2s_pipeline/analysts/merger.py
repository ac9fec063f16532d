"""Which engine words the rules of a skill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.analysts.worded import Wording, asked_version, remember_wording, wording_of
from t2s_pipeline.consolidation.cluster import LessonMerger
from t2s_pipeline.errors import BudgetExceeded, T2SError
from t2s_pipeline.settings import Settings
from t2s_pipeline.store.frames import frame
from t2s_pipeline.store.store import Store

if TYPE_CHECKING:
    from t2s_pipeline.analysts.llm.merging import Unanswered

_UNASKED = "the model was not asked; `t2s run --engine llm` asks it"


@contextmanager
def merger_of(store: Store, settings: Settings, skill: str) -> Iterator[LessonMerger]:
    """The merger of the engine that is set; the calls a model's merges made, and what it did not answer, are
    noted at the end.

    The `auto` engine uses what a model has said about this skill before, and asks nobody.

    Raises:
        EndpointError: the `llm` engine is asked for and there is no endpoint, or nobody answers there.
    """
    if settings.engine == "llm":
        with _asking(store, settings, skill) as merger:
            yield merger
        return
    remembered = wording_of(settings, skill) if settings.engine == "auto" else None
    if remembered is None:
        yield StatisticalMerger()
        remember_wording(settings, skill, None)
        _note_unanswered(store, skill, ())
        return
    with _unasked(store, settings, skill, remembered) as merger:
        yield merger


@contextmanager
def _asking(store: Store, settings: Settings, skill: str) -> Iterator[LessonMerger]:
    # The client of the endpoint takes half a second to import: only where there is one to talk to.
    from t2s_pipeline.analysts.by_model import endpoint_settings, model_cache, store_calls
    from t2s_pipeline.analysts.llm.merging import LLMMerger

    asked = endpoint_settings()
    merger = LLMMerger(asked, model_cache(settings), StatisticalMerger(), skill=skill)
    try:
        with merger:
            yield merger
        _note_unanswered(store, skill, merger.unanswered)
        wording = Wording(
            version=asked_version(asked),
            model=merger.model,
            temperature=asked.temperature,
            seed=asked.seed,
            max_output_tokens=asked.max_output_tokens,
            embedding_model=asked.embedding_model,
        )
        remember_wording(settings, skill, wording)
    finally:
        store_calls(store, merger.rows, f"skill:{skill}")
        store.load_staged()


@contextmanager
def _unasked(store: Store, settings: Settings, skill: str, wording: Wording) -> Iterator[LessonMerger]:
    from t2s_pipeline.analysts.by_model import model_cache
    from t2s_pipeline.analysts.llm.merging import LLMMerger

    merger = LLMMerger(wording.unasked(), model_cache(settings), StatisticalMerger(), skill=skill)
    try:
        with merger:
            yield merger
    except BudgetExceeded as error:
        raise T2SError(
            f"What {wording.embedding_model} has said about {skill} is not in the cache any more. Run with "
            "--engine llm to ask again, or with --engine statistical to do without the model."
        ) from error
    _note_unanswered(store, skill, [one._replace(reason=_UNASKED) for one in merger.unanswered])


def _note_unanswered(store: Store, skill: str, unanswered: Sequence[Unanswered]) -> None:
    """Replace what is noted of the words the model did not give: those rules have deterministic ones."""
    rows = (
        {"skill": skill, "batch": f"skill:{skill}", "trace_id": "", **one._asdict()} for one in unanswered
    )
    store.stage({"batch": f"skill:{skill}"}, {"analysis_failures": frame("analysis_failures", rows)})
