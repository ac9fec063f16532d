"""The benchmark measures what it says, on few lessons and in this process."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from t2s_pipeline_tests.benchmarks.bench_consolidation import KINDS, Kind, measure

pytestmark = pytest.mark.slow

Result = TypeVar("Result")


def here(work: Callable[..., Result], *arguments: object) -> Result:
    return work(*arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_the_update_has_all_lessons_and_equals_the_rebuild(kind: Kind) -> None:
    first, update, rebuilt = measure(kind, 300, 20, 1, here)

    assert (first.lessons, update.lessons, rebuilt.lessons) == (300, 320, 320)
    assert first.root != update.root == rebuilt.root
    assert update.clusters == rebuilt.clusters
