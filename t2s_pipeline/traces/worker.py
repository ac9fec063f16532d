"""A process that reads batches for another one: `python -m t2s_pipeline.traces.worker`.

Takes an `IngestOrder` on standard input, stages the rows of each batch, and answers with one `StagedBatch`
per line. Loading what is staged is left to who asks.
"""

from __future__ import annotations

import sys

from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.batch_content import OpenFiles
from t2s_pipeline.traces.guard import guard_of
from t2s_pipeline.traces.ingest import IngestOrder, stage_batches


def main() -> None:
    """Read the order, do it, answer."""
    order = IngestOrder.model_validate_json(sys.stdin.buffer.read())
    settings = order.settings
    paths = DataPaths(settings.data)
    guard = guard_of(paths, settings)
    files = OpenFiles(paths, settings, guard, told=order.told)
    for staged in stage_batches(Store(paths), files, guard, order.batches):
        sys.stdout.buffer.write(staged.model_dump_json().encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
