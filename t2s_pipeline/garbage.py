"""Python's search for cyclic garbage, where it costs more than it finds."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for cyclic garbage meanwhile. For work that makes very many objects and no cycles: looking
    through their fields again and again takes more time than the work itself.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
