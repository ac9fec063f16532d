"""The benchmark measures what it says, on as few traces as it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from t2s_pipeline_tests.benchmarks.bench_pipeline import STAGES, Measured, growth, main


def measured(traces: int, seconds: float) -> Measured:
    """A measurement of one stage."""
    return Measured(
        traces=traces,
        input_mb=1,
        seconds={"ingest": seconds},
        cpu_seconds={"ingest": seconds},
        peak_mb={"ingest": 1},
        database_mb=1,
        lessons=0,
        clusters=0,
        rules=0,
    )


def test_growth_is_one_for_a_stage_that_takes_in_proportion() -> None:
    sizes = [measured(1_000, 2.0), measured(10_000, 20.0), measured(40_000, 320.0)]

    assert growth(sizes, "ingest") == [1.0, 2.0]


@pytest.mark.slow
def test_every_stage_is_measured_at_every_size_in_a_process_of_its_own(tmp_path: Path) -> None:
    report = tmp_path / "report.json"

    main(["--sizes", "48", "24", "--json", str(report), "--work", str(tmp_path)])

    numbers = json.loads(report.read_text(encoding="utf-8"))
    assert [one["traces"] for one in numbers["sizes"]] == [24, 48]
    assert all(list(one["seconds"]) == list(STAGES) for one in numbers["sizes"])
    assert all(one["lessons"] > 0 for one in numbers["sizes"])
    assert list(tmp_path.iterdir()) == [report]
