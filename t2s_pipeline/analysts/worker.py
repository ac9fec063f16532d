"""A process that mines batches for another one: `python -m t2s_pipeline.analysts.worker`.

Takes one JSON object on standard input (settings, groups of batch keys) and answers with one line per group,
a JSON object of reports by batch. A program of its own and not a fork or a spawned copy: it never runs the
code of whoever asks again, and inherits no threads.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

import orjson
from pydantic import BaseModel

from t2s_pipeline.analysts.analyse import AnalysisReport, analyse_group
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.store import Store


class Order(BaseModel):
    """What a worker is asked to do."""

    settings: Settings
    groups: list[list[str]]


def reports_of_worker(
    settings: Settings, groups: Sequence[Sequence[str]], progress: Callable[[int], None]
) -> dict[str, AnalysisReport]:
    """Reports of the groups that a worker process has read. When it fails, those it had finished: the rest
    is for the caller, in whose hands the failure shows its cause.
    """
    order = Order(settings=settings, groups=[list(group) for group in groups])
    reports: dict[str, AnalysisReport] = {}
    command = [sys.executable, "-m", "t2s_pipeline.analysts.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(order.model_dump_json().encode())
        worker.stdin.close()
        for line in worker.stdout:
            done = {key: AnalysisReport.model_validate(body) for key, body in orjson.loads(line).items()}
            reports |= done
            progress(sum(report.traces for report in done.values()))
    return reports


def main() -> None:
    """Read the order, do it, answer."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    store = Store(DataPaths(order.settings.data))
    for group in order.groups:
        reports = analyse_group(store, order.settings, group)
        answer = {key: report.model_dump(mode="json") for key, report in reports.items()}
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
