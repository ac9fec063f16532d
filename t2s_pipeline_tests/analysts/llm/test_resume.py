"""A run that is killed goes on where it was, and pays for nothing again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from t2s_pipeline.analysts.llm.fleet import FleetReport
from t2s_pipeline_tests.analysts.llm.fleet_process import TRACES
from t2s_pipeline_tests.llm.server import Behaviour, LocalServer

PATIENCE_S = 60.0


def start(server: LocalServer, cache: Path, report: Path) -> subprocess.Popen[bytes]:
    """The fleet in a process of its own."""
    module = "t2s_pipeline_tests.analysts.llm.fleet_process"
    return subprocess.Popen([sys.executable, "-m", module, server.base_url, str(cache), str(report)])


def killed_after(server: LocalServer, cache: Path, requests: int) -> None:
    """Start the fleet and kill it once so many more requests have reached the endpoint."""
    wanted = server.seen.chats + requests
    with start(server, cache, cache / "never") as process:
        deadline = time.monotonic() + PATIENCE_S
        while server.seen.chats < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
    while server.seen.in_flight:
        time.sleep(0.01)


def paid(cache: Path) -> set[str]:
    """Questions whose replies are stored."""
    return {path.stem for path in cache.glob("replies/??/*.json")}


def finished(server: LocalServer, cache: Path, report: Path) -> FleetReport:
    """The report of a run that nobody disturbs."""
    with start(server, cache, report) as process:
        assert process.wait(PATIENCE_S) == 0
    read = FleetReport.model_validate_json(report.read_bytes())
    return read.model_copy(update={"calls": (), "tokens_sent": 0})


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_if_undisturbed_and_nothing_is_paid_twice(
    tmp_path: Path,
) -> None:
    rng = random.Random()
    with LocalServer(Behaviour(delay_s=0.03)) as server:
        undisturbed = finished(server, tmp_path / "whole", tmp_path / "whole.json")

    cache = tmp_path / "killed"
    with LocalServer(Behaviour(delay_s=0.03)) as server:
        for _ in range(3):
            before = paid(cache)
            killed_after(server, cache, rng.randint(1, TRACES // 4))
            assert before <= paid(cache)
        already_paid, asked = len(paid(cache)), server.seen.chats
        resumed = finished(server, cache, tmp_path / "resumed.json")

        assert server.seen.chats - asked == TRACES - already_paid
    assert resumed == undisturbed
    assert len(paid(cache)) == TRACES
