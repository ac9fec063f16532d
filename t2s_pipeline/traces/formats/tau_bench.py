"""tau-bench result files: a list of runs `{task_id, reward, info, traj, trial}`.

The answer stands in the file (`info.task.actions` and `outputs`, `info.reward_info.actions`): only
`task_id`, `reward`, `trial`, `traj` and `info.agent` are ever looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import steps_of_messages, trajectory
from t2s_pipeline.traces.format import (
    Converted,
    Damage,
    Format,
    Head,
    RawRecord,
    Record,
    SourceFile,
    unknown_keys,
)
from t2s_pipeline.traces.layouts import whichever
from t2s_pipeline.traces.outcomes import outcome_of_reward

_RUN_KEYS = frozenset({"task_id", "reward", "info", "traj", "trial"})
_AGENT_NAMES = (
    re.compile(r"^(?:tool-calling|act|react|few-shot)-(?P<agent>.+?)-\d+\.\d+_range_"),
    re.compile(r"^(?P<agent>.+?)[-_](?:airline|retail|telecom)"),
)


class TauBench(Format):
    name = "tau_bench"
    title = "tau-bench run"

    def recognises(self, head: Head) -> int:
        return 90 if any({"traj", "reward", "task_id"} <= sample.keys() for sample in head.objects()) else 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return whichever(source)

    def convert(self, record: Record) -> Converted:
        value, source = record.value, record.source
        if not isinstance(value, dict) or not isinstance(value.get("traj"), list):
            raise TraceError("not a tau-bench run: it has no list `traj`")
        steps, warnings = steps_of_messages(value["traj"], error_prefix="Error").finish()
        info = value.get("info")
        named = info.get("agent") if isinstance(info, dict) else None
        agent = named if isinstance(named, str) and named else _agent_of(source.path.stem)
        trial = value.get("trial")
        return Converted(
            trajectory=trajectory(steps, agent=agent),
            outcome=outcome_of_reward(value.get("reward"), "benchmark", source.settings),
            task_id=None if value.get("task_id") is None else str(value["task_id"]),
            trial=None if trial is None else str(trial),
            agent=agent,
            warnings=(*warnings, *unknown_keys("run", value.keys(), _RUN_KEYS)),
        )


def _agent_of(stem: str) -> str:
    """`gpt-4o-airline` and `tool-calling-gpt-4o-0.0_range_...` are runs of gpt-4o."""
    for pattern in _AGENT_NAMES:
        if match := pattern.match(stem):
            return match["agent"]
    return "unknown"


FORMAT = TauBench()
