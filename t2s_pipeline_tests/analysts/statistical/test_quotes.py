"""What is quoted of a call."""

from __future__ import annotations

import pytest

from t2s_pipeline.analysts.statistical.quotes import call_quote
from t2s_pipeline_tests.builders import call, run_of


def quoted(code, preferred=()):
    return call_quote(run_of(call("run_python", {"code": code})).calls[0], preferred)


def test_the_line_that_shows_it_is_quoted():
    assert quoted("import a\nb = a.b()\nc = b.c()", ["c()"]) == "c = b.c()"


@pytest.mark.parametrize("opening", ["import a", "from a import b", "# a remark"])
def test_a_line_that_opens_every_program_is_not_quoted(opening):
    assert quoted(f"{opening}\n\nb = a.b()\nprint(b)") == "b = a.b()"


def test_a_program_of_nothing_else_is_quoted_by_its_first_line():
    assert quoted("import a\nimport b") == "import a"
