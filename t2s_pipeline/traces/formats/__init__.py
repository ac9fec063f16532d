"""One file per trace format. A module here that defines `FORMAT` is a format; adding one is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from t2s_pipeline.traces.format import SHAPE_ERRORS, Format, Head


@cache
def all_formats() -> tuple[Format, ...]:
    """Every format in this folder, by name."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return tuple(sorted((module.FORMAT for module in modules), key=lambda one: one.name))


def recognise(head: Head) -> Format | None:
    """The format whose signature fits the content best, or None."""
    best: Format | None = None
    best_score = 0
    for candidate in all_formats():
        try:
            score = candidate.recognises(head)
        except SHAPE_ERRORS:
            continue
        if score > best_score:
            best, best_score = candidate, score
    return best


def format_named(name: str) -> Format:
    """The format of that name; KeyError when there is none."""
    return {one.name: one for one in all_formats()}[name]
