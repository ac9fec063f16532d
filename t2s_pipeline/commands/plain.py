"""Text on a terminal as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console


def plainly(console: Console) -> Callable[[str], None]:
    """Prints text that is not ours as it is: no markup, no highlighting, no wrapping."""
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)


def short_path(path: str) -> str:
    """The path as a person would type it here."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
