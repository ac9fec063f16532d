"""The benchmark of updates, on as few traces as show the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from t2s_pipeline_tests.benchmarks.bench_incremental import measure, problems


@pytest.mark.slow
def test_a_few_more_traces_cost_a_few_calls_and_give_what_a_rebuild_gives() -> None:
    first, update, rebuilt = stages = measure(traces=200, more=10)

    assert problems(stages, more=10) == []
    assert (first.traces_analysed, update.traces_analysed, rebuilt.traces_analysed) == (200, 10, 0)
    assert rebuilt.merges > update.merges
    assert problems([first, replace(update, merges=31, root="another"), rebuilt], more=10) == [
        "31 merges",
        "the update differs from a rebuild",
    ]
