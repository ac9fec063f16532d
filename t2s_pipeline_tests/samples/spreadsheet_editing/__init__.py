"""Agents that edit Excel workbooks with openpyxl.

In: the jobs, the editors and the seed. Out: attempts whose every script ran on a real workbook.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from t2s_pipeline_tests.samples.attempt import Attempt
from t2s_pipeline_tests.samples.spreadsheet_editing.agents import COBALT, DASH, MERIDIAN
from t2s_pipeline_tests.samples.spreadsheet_editing.jobs import JOBS
from t2s_pipeline_tests.samples.spreadsheet_editing.runs import EditRun

SKILL = "spreadsheet-editing"
TASKS = JOBS
TRIALS = ((MERIDIAN, 3), (DASH, 3), (COBALT, 2))


def attempts() -> list[Attempt]:
    """Every attempt of every agent at every job, in a fixed order."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            EditRun(task, editor, trial, Path(folder)).play()
            for task in TASKS
            for editor, trials in TRIALS
            for trial in range(trials)
        ]
