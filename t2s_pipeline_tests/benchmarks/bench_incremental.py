"""What a few new traces cost once many have been learnt from, with the llm engine on the local test server.

    python -m t2s_pipeline_tests.benchmarks.bench_incremental [--traces 1000] [--more 10]

The new traces are analysed and all lessons are consolidated again over the answers that were kept. Then
everything is consolidated once more over nothing, which has to give the same. Ends with 1 when the update
asked for more than it may, or when the two differ.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.analysts.llm.fleet import FleetReport, analyse_traces
from t2s_pipeline.analysts.llm.merging import LLMMerger
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import consolidate
from t2s_pipeline.consolidation.nodes import NodeFiles
from t2s_pipeline.consolidation.result import Consolidation
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.traces.record import OutcomeStatus, TraceRecord
from t2s_pipeline_tests.analysts.llm.records import by_task, record_of
from t2s_pipeline_tests.benchmarks.bench_llm import local_endpoint
from t2s_pipeline_tests.builders import call, system, user

REPORT = Path("build/bench_incremental.json")
MOST_ANALYSES_PER_TRACE = 1
MOST_MERGES = 30
"""For ten new traces."""
SKILL = "booking"
BATCH = 32
TOOLS = 40
TASKS = 100


@dataclass(frozen=True)
class Stage:
    """What one stage asked of the model and what it took from storage."""

    what: str
    traces_analysed: int
    """Traces that at least one call was made about."""
    merges: int
    """Calls of consolidation: words for a finding, or a judgement about a topic."""
    from_storage: int
    """Merges and judgements that had been answered before."""
    fallbacks: int
    lessons: int
    clusters: int
    root: str
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, keep a report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--traces", type=int, default=1_000)
    parser.add_argument("--more", type=int, default=10)
    parser.add_argument("--json", type=Path, default=REPORT)
    chosen = parser.parse_args(arguments)
    stages = measure(chosen.traces, chosen.more)
    Console().print(_table(stages))
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps([asdict(stage) for stage in stages], indent=2) + "\n", encoding="utf-8")
    broken = problems(stages, chosen.more)
    for problem in broken:
        print(f"over the limit: {problem}", file=sys.stderr)
    return 1 if broken else 0


def measure(traces: int, more: int) -> list[Stage]:
    """The first learning, the update, and a rebuild without kept answers."""
    records = [_record(number) for number in range(traces + more)]
    first, new = records[:traces], records[traces:]
    with local_endpoint(0.0) as base_url, tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        settings = LLMSettings(base_url=base_url, model="local-model")

        started = time.perf_counter()
        batches = [first[start : start + BATCH] for start in range(0, traces, BATCH)]
        reports = [_analysed(batch, first, settings, root / "replies") for batch in batches]
        lessons = [lesson for report in reports for lesson in report.lessons]
        stages = [_consolidated("first", reports, lessons, settings, root, "kept", started)]

        started = time.perf_counter()
        report = _analysed(new, records, settings, root / "replies")
        lessons += report.lessons
        stages.append(
            _consolidated(f"update with {more}", [report], lessons, settings, root, "kept", started)
        )

        started = time.perf_counter()
        stages.append(_consolidated("rebuilt", [], lessons, settings, root, "empty", started))
    return stages


def problems(stages: Sequence[Stage], more: int) -> list[str]:
    """The limits that do not hold."""
    first, update, rebuilt = stages
    limits = {
        f"{first.traces_analysed} traces analysed at first": first.traces_analysed > 0,
        f"{update.traces_analysed} analyses": update.traces_analysed <= MOST_ANALYSES_PER_TRACE * more,
        f"{update.merges} merges": update.merges <= MOST_MERGES,
        f"{update.from_storage} answers from storage": update.from_storage > 0,
        f"{update.fallbacks} merges without an answer": update.fallbacks == 0,
        "the update differs from a rebuild": update.root == rebuilt.root,
    }
    return [limit for limit, holds in limits.items() if not holds]


def _analysed(
    batch: Sequence[TraceRecord], landed: Sequence[TraceRecord], settings: LLMSettings, replies: Path
) -> FleetReport:
    attempts = by_task(landed)
    report = analyse_traces(list(batch), lambda record: attempts[record.task_id], settings, replies)
    if report.failures:
        raise SystemExit(f"{len(report.failures)} analyses failed: {report.failures[0].reason}")
    return report


def _consolidated(
    what: str,
    reports: Sequence[FleetReport],
    lessons: Sequence[Lesson],
    settings: LLMSettings,
    root: Path,
    nodes: str,
    started: float,
) -> Stage:
    """Merges with replies of their own for each store of answers: what is counted is what really is asked."""
    with LLMMerger(settings, root / f"replies-{nodes}", StatisticalMerger(), skill=SKILL) as merger:
        result: Consolidation = consolidate(
            lessons, skill=SKILL, min_tasks=2, merger=merger, nodes=NodeFiles(root / nodes)
        )
        rows = merger.rows
    paid = [row for report in reports for row in report.calls if not row.from_cache]
    return Stage(
        what=what,
        traces_analysed=len({row.trace_id for row in paid if row.trace_id is not None}),
        merges=sum(row.purpose in ("merge", "judge") and not row.from_cache for row in rows),
        from_storage=result.effort.kept,
        fallbacks=result.effort.fallbacks,
        lessons=len(lessons),
        clusters=len(result.clusters),
        root=result.root,
        seconds=round(time.perf_counter() - started, 1),
    )


def _record(number: int) -> TraceRecord:
    """A run with one of many tools: one call is refused and put right, in one run of three to no avail."""
    tool, task = f"book_{number * 7 % TOOLS}", f"task-{number % TASKS}"
    steps = [
        system("You book what the customer asks for. Follow the policy in all that you do."),
        user(f"Please book number {number} for me, at the lowest fare."),
        call("search_offers", {"for": f"request {number}"}, f"offer {number} is open, two places are left"),
        call(tool, {"request": number, "amount": 100}, f"Error: {tool} needs the total of all passengers"),
        call(tool, {"request": number, "amount": 200}, f"booked: request {number} is confirmed"),
        {"source": "agent", "message": f"Your request {number} is booked, have a pleasant journey."},
    ]
    outcome: OutcomeStatus = "failure" if number // TASKS % 3 == 0 else "success"
    return record_of(*steps, trace_id=f"t-{number:06}", task_id=task, outcome=outcome)


def _table(stages: Sequence[Stage]) -> Table:
    table = Table(title="cost of an update")
    for column in ("", "traces analysed", "merges", "from storage", "lessons", "clusters", "seconds"):
        table.add_column(column, justify="right")
    for one in stages:
        counts = (one.traces_analysed, one.merges, one.from_storage, one.lessons, one.clusters)
        table.add_row(one.what, *(f"{count:,}" for count in counts), f"{one.seconds:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
