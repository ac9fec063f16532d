"""The fleet as a process of its own, to be killed: `python -m …fleet_process BASE_URL CACHE REPORT`."""

from __future__ import annotations

import sys
from pathlib import Path

from t2s_pipeline.analysts.llm.fleet import analyse_traces
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline_tests.analysts.llm.records import by_task, many_records

TRACES = 120


def main(base_url: str, cache: Path, report: Path) -> None:
    """Analyse the made-up traces and write the report as JSON."""
    records = many_records(TRACES)
    siblings = by_task(records)
    settings = LLMSettings(base_url=base_url, model="m", max_in_flight=8)
    result = analyse_traces(records, lambda record: siblings[record.task_id], settings, cache)
    report.write_text(result.model_dump_json())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
