"""Which engine words the rules of a skill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.cluster import LessonMerger
from t2s_pipeline.settings import Settings
from t2s_pipeline.store.store import Store


@contextmanager
def merger_of(store: Store, settings: Settings, skill: str) -> Iterator[LessonMerger]:
    """The merger of the engine that is set; the calls a model's merges made are noted at the end.

    Raises:
        EndpointError: the `llm` engine is asked for and there is no endpoint, or nobody answers there.
    """
    if settings.engine == "statistical":
        yield StatisticalMerger()
        return
    # The client of the endpoint takes half a second to import: only where there is one to talk to.
    from t2s_pipeline.analysts.by_model import endpoint_settings, reply_cache, store_calls
    from t2s_pipeline.analysts.llm.merging import LLMMerger

    merger = LLMMerger(endpoint_settings(), reply_cache(settings), StatisticalMerger(), skill=skill)
    try:
        with merger:
            yield merger
    finally:
        store_calls(store, merger.rows, f"skill:{skill}")
        store.load_staged()
