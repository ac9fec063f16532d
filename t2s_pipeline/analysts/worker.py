"""A process that mines batches for another one: `python -m t2s_pipeline.analysts.worker`.

Takes an `AnalysisOrder` on standard input and answers with one line per group, a JSON object of reports by
batch.
"""

from __future__ import annotations

import sys

import orjson

from t2s_pipeline.analysts.analyse import AnalysisOrder, analyse_group
from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store.store import Store


def main() -> None:
    """Read the order, do it, answer."""
    order = AnalysisOrder.model_validate_json(sys.stdin.buffer.read())
    store = Store(DataPaths(order.settings.data))
    for group in order.groups:
        reports = analyse_group(store, order.settings, group)
        answer = {key: report.model_dump(mode="json") for key, report in reports.items()}
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
