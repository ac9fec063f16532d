"""The whole way, with real processes: killed runs, late traces, and the UI that works by itself."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import sync_playwright

from t2s_pipeline.outstanding import skills_behind, unfinished_batches
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import queries
from t2s_pipeline_tests.assets.builders import drop, pipeline_in

T2S = [sys.executable, "-m", "t2s_pipeline.cli"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.slow


def run(pipeline: Pipeline) -> dict[str, Any]:
    command = [*T2S, "run", "--json", "--data", str(pipeline.paths.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert isinstance(summary, dict)
    return summary


def skill_text(pipeline: Pipeline) -> str:
    return (pipeline.paths.skills / "booking" / "SKILL.md").read_text(encoding="utf-8")


def wait_until(holds: Callable[[], object], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)


def test_what_a_killed_run_left_is_finished_by_the_next(tmp_path: Path) -> None:
    whole, killed = pipeline_in(tmp_path / "whole"), pipeline_in(tmp_path / "killed")
    for pipeline in (whole, killed):
        drop(pipeline, "booking", "a.jsonl", range(400))
    run(whole)

    command = [*T2S, "run", "--data", str(killed.paths.root)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(
            lambda: killed.paths.database.exists() and len(queries.batch_stages(killed.store)) > 0,
            seconds=120,
            what="the first batch is read",
        )
        process.kill()
    was_finished = not unfinished_batches(killed) and not skills_behind(killed)
    summary = run(killed)

    assert not was_finished
    assert summary["traces"] == 400
    assert summary["updated"] == ["booking"]
    assert skill_text(killed) == skill_text(whole)


def test_traces_that_come_later_give_the_skill_that_all_of_them_at_once_give(tmp_path: Path) -> None:
    at_once, bit_by_bit = pipeline_in(tmp_path / "at-once"), pipeline_in(tmp_path / "bit-by-bit")
    drop(at_once, "booking", "a.jsonl", range(3))
    drop(at_once, "booking", "b.jsonl", range(3, 8))
    run(at_once)

    drop(bit_by_bit, "booking", "a.jsonl", range(3))
    first = run(bit_by_bit)
    drop(bit_by_bit, "booking", "b.jsonl", range(3, 8))
    second = run(bit_by_bit)

    assert (first["new_traces"], second["new_traces"], second["traces"]) == (3, 5, 8)
    assert skill_text(bit_by_bit) == skill_text(at_once)


class Ui:
    """A running `t2s ui`."""

    def __init__(self, pipeline: Pipeline, process: subprocess.Popen[bytes], port: int) -> None:
        self.pipeline = pipeline
        self.process = process
        self.address = f"http://127.0.0.1:{port}"

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.address}/server_info", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def graphql(self, query: str) -> Any:
        body = json.dumps({"query": query}).encode()
        request = Request(f"{self.address}/graphql", data=body, headers={"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as reply:
            return json.load(reply)["data"]

    def published(self) -> list[tuple[str, int]]:
        """Partition and number of rules of each materialisation of `skill_directory`, newest first."""
        query = """{ assetOrError(assetKey: {path: ["skill_directory"]}) { ... on Asset {
            assetMaterializations { partition metadataEntries { label ... on IntMetadataEntry { intValue } } }
        } } }"""
        found = self.graphql(query)["assetOrError"].get("assetMaterializations", [])
        return [
            (
                one["partition"],
                next(entry["intValue"] for entry in one["metadataEntries"] if entry["label"] == "rules"),
            )
            for one in found
        ]


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pipeline = pipeline_in(tmp_path / "data")
    drop(pipeline, "booking", "a.jsonl", range(3))
    command = [*T2S, "ui", "--port", str(port), "--data", str(pipeline.paths.root)]
    # Started from an unrelated directory: nothing may depend on where a person is.
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    running = Ui(pipeline, process, port)
    try:
        wait_until(running.answers, seconds=180, what="the UI answers")
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    assert process.returncode == 0
    assert not running.answers()


@pytest.mark.timeout(600)
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_a_trace_dropped_into_the_inbox_updates_the_skill_in_the_ui_without_a_click(ui: Ui) -> None:
    wait_until(lambda: ui.published(), seconds=180, what="the first skill is published")
    runs_said_first = _runs_learnt_from(ui.pipeline)

    drop(ui.pipeline, "booking", "b.jsonl", range(3, 4))
    wait_until(lambda: len(ui.published()) > 1, seconds=180, what="the skill is published again")

    assert (runs_said_first, _runs_learnt_from(ui.pipeline)) == (3, 4)
    assert {partition for partition, _ in ui.published()} == {"booking"}
    assert ui.published()[0] == ("booking", 1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1600, "height": 1200})
        page.goto(
            f"{ui.address}/assets/skill_directory?view=partitions&partition=booking",
            wait_until="domcontentloaded",
        )
        # A short skill is shown in place, a long one behind a link.
        page.get_by_text("Learnt from 4 recorded runs").first.wait_for(timeout=60_000)
        page.goto(f"{ui.address}/assets/skill_directory?view=checks", wait_until="domcontentloaded")
        page.get_by_text("lineage_complete").first.wait_for(timeout=60_000)
        browser.close()


def _runs_learnt_from(pipeline: Pipeline) -> int:
    found = re.search(r"Learnt from (\d+) recorded runs", skill_text(pipeline))
    return int(found[1]) if found else 0
