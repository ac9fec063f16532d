"""`t2s` called in this process: the same entry point, without the second a new interpreter takes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from t2s_pipeline.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


class Terminal:
    """Commands on one data root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, *arguments: str) -> Done:
        return _run("t2s", *arguments, "--data", str(self._root))

    def without_data(self, *arguments: str) -> Done:
        """A command that needs no data root."""
        return _run("t2s", *arguments)


def _run(*arguments: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with _called_as(arguments), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Done(code, out.getvalue(), " ".join(err.getvalue().split()))


@contextmanager
def _called_as(arguments: tuple[str, ...]) -> Iterator[None]:
    with patch("sys.argv", list(arguments)), patch.dict("os.environ", {"COLUMNS": "120"}):
        yield
