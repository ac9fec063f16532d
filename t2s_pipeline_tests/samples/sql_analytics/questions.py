"""The questions: their wording and SQL stand in TOML files, their answers are computed in Python."""

from __future__ import annotations

import tomllib
from pathlib import Path

from t2s_pipeline_tests.samples.sql_analytics import counts, joins, ranks, sales
from t2s_pipeline_tests.samples.sql_analytics.task import SqlTask

FILES = (
    ("joins", joins.ANSWERS),
    ("counts", counts.ANSWERS),
    ("sales", sales.ANSWERS),
    ("ranks", ranks.ANSWERS),
)


def questions() -> tuple[SqlTask, ...]:
    """Every question in a fixed order."""
    tasks: list[SqlTask] = []
    for name, answers in FILES:
        text = Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8")
        for task_id, entry in tomllib.loads(text).items():
            tasks.append(
                SqlTask(
                    task_id=task_id,
                    family=entry["family"],
                    question=entry["question"],
                    topic=entry["topic"],
                    tables=tuple(entry["tables"]),
                    right=tuple(query.strip() for query in entry["right"]),
                    answer=answers[task_id],
                    fan_out=entry.get("fan_out", "").strip(),
                    check=entry.get("check", "").strip(),
                    odd=tuple(query.strip() for query in entry.get("odd", ())),
                )
            )
    return tuple(tasks)
