"""Agents that answer questions about a shop's warehouse with SQL on DuckDB.

In: the questions, the personas and the seed. Out: attempts with every query executed and judged.
"""

from __future__ import annotations

from t2s_pipeline_tests.samples.attempt import Attempt
from t2s_pipeline_tests.samples.sql_analytics.agents import ATLAS, ORBIT, PICO
from t2s_pipeline_tests.samples.sql_analytics.questions import questions
from t2s_pipeline_tests.samples.sql_analytics.runs import Run
from t2s_pipeline_tests.samples.sql_analytics.tools import Database

SKILL = "sql-analytics"
TASKS = questions()
TRIALS = ((ATLAS, 3), (PICO, 3), (ORBIT, 2))


def attempts() -> list[Attempt]:
    """Every attempt of every agent at every question, in a fixed order."""
    database = Database()
    return [
        Run(task, persona, trial, database).play()
        for task in TASKS
        for persona, trials in TRIALS
        for trial in range(trials)
    ]
