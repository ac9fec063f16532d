"""One set-up of the pipeline: its settings, where its data lies, its store, and who watches progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.store import Store

Advance = Callable[[int], None]
"""Called with the number of traces done since the last call."""

ProgressOf = Callable[[str], Advance]
"""Gives the `Advance` of a stage (`traces` or `lessons`)."""


def unwatched(stage: str) -> Advance:  # noqa: ARG001 - has to look like any other ProgressOf
    """Progress that nobody looks at."""
    return lambda done: None  # noqa: ARG005


@dataclass(frozen=True)
class Pipeline:
    """What every asset, sensor and command needs. Cheap to make; holds no connection."""

    settings: Settings
    paths: DataPaths
    store: Store
    progress: ProgressOf = unwatched


def pipeline_at(settings: Settings, progress: ProgressOf = unwatched) -> Pipeline:
    """The pipeline whose data root is `settings.data`."""
    paths = DataPaths(settings.data)
    return Pipeline(settings=settings, paths=paths, store=Store(paths), progress=progress)


@contextmanager
def one_at_a_time(pipeline: Pipeline, skill: str) -> Iterator[None]:
    """Hold off other processes that make the same skill: `t2s run` beside the UI, say. They wait."""
    locks = pipeline.paths.cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{skill}.lock"):
        yield
