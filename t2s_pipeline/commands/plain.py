"""Text on a terminal as it is, and nothing that would make the terminal do something."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from rich import console as rich_console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters by which a text moves the cursor, renames the window or turns the direction of writing."""
_PICTURES = 0x2400
"""Where Unicode has a picture for each of the first 32 characters."""


class Console(rich_console.Console):
    """A terminal to which the names and words of files can be written: what would be a command to it is shown
    as a picture."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(shown(segment.text), segment.style)


def shown(text: str) -> str:
    """The text with a picture or a question mark for every character that is a command to a terminal."""
    return _COMMANDS.sub(lambda found: _picture(found.group()), text)


def plainly(console: rich_console.Console) -> Callable[[str], None]:
    """Prints text that is not ours as it is: no markup, no highlighting, no wrapping."""
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)


def short_path(path: str) -> str:
    """The path as a person would type it here."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _picture(char: str) -> str:
    return chr(_PICTURES + ord(char)) if ord(char) < 0x20 else "\N{REPLACEMENT CHARACTER}"
