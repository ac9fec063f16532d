"""InterCode episodes (SQL, Bash, Python): `{index: episode}` or a list of episodes.

An episode is a question and turns of (action, observation, reward, valid_action, thought). Rewards per turn
come from comparing with the gold answer, which the agent did not see: they stay out of every text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import StepList, content_text, number, trajectory
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
from t2s_pipeline.traces.layouts import lines, members
from t2s_pipeline.traces.outcomes import outcome_of_reward

_EPISODE_KEYS = frozenset(
    "environment dataset task_id query turn_history summary hardness gold db difficulty agent trial".split()
)
_TURN_KEYS = frozenset("actions observations rewards valid_action thoughts states".split())
_TOOLS = {"sql": ("sql", "query"), "bash": ("bash", "command"), "python": ("python", "code")}
_WRAPPED = re.compile(
    r"^\s*execute\[(?P<code>.*?)(?:\](?:\s*Observation.*)?)?\s*$", re.DOTALL | re.IGNORECASE
)
_SUBMIT = re.compile(r"^\s*submit\b", re.IGNORECASE)
_ERROR = re.compile(
    r"^\s*(?:error\b|no \w+ code was found|traceback \(most recent|(?:/bin/)?(?:ba)?sh: "
    r"|\S+: (?:command not found|\S+: No such file))",
    re.IGNORECASE,
)
_SQL_START = re.compile(
    r"^\s*\(*\s*(?:SELECT|SHOW|DESC|DESCRIBE|EXPLAIN|WITH|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|USE|SET|TABLE|"
    r"CALL|TRUNCATE|REPLACE|BEGIN|COMMIT|ROLLBACK|GRANT)\b",
    re.IGNORECASE,
)
_NO_CODE = re.compile(r"^\s*no \w+ code was found", re.IGNORECASE)
_FILE_PREFIX = re.compile(r"^ic_(?:sql|bash|python|ctf)_")


class InterCode(Format):
    name = "intercode"
    title = "InterCode episode"

    def recognises(self, head: Head) -> int:
        found = head.objects() if head.shape != "object" else [head.fields, *head.fields.values()]
        for sample in found:
            if isinstance(sample, Mapping) and isinstance(sample.get("turn_history"), Mapping):
                return 90
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return lines(source) if source.head.shape == "lines" else members(source)

    def convert(self, record: Record) -> Converted:
        value, source = record.value, record.source
        turns = value.get("turn_history") if isinstance(value, dict) else None
        if not isinstance(turns, dict) or not isinstance(turns.get("actions"), list):
            raise TraceError("not an InterCode episode: it has no `turn_history.actions`")
        environment = str(value.get("environment") or "")
        found = StepList()
        if query := content_text(value.get("query")):
            found.add("user", query)
        _add_turns(found, turns, _kind_of(environment, source.path.stem))
        steps, warnings = found.finish()
        summary = value.get("summary")
        reward = summary.get("max_reward") if isinstance(summary, dict) else None
        named = value.get("agent")
        agent = named if isinstance(named, str) else _FILE_PREFIX.sub("", source.path.stem) or "unknown"
        task, trial = value.get("task_id"), value.get("trial")
        return Converted(
            trajectory=trajectory(
                steps if turns["actions"] else [],
                agent=agent,
                extra={key: value[key] for key in ("environment", "dataset", "hardness") if value.get(key)}
                or None,
            ),
            outcome=outcome_of_reward(reward, "benchmark", source.settings),
            task_id=None if task is None else str(task),
            trial=None if trial is None else str(trial),
            agent=agent,
            named_by_file="" if isinstance(named, str) else agent,
            warnings=(
                *warnings,
                *unknown_keys("episode", value.keys(), _EPISODE_KEYS),
                *unknown_keys("turn_history", turns.keys(), _TURN_KEYS),
            ),
        )


def _kind_of(environment: str, stem: str) -> str:
    for text in (environment.lower(), stem.lower()):
        for kind, names in (("sql", ("sql",)), ("python", ("python",)), ("bash", ("bash", "nl2b", "ctf"))):
            if any(name in text for name in names):
                return kind
    return "bash"


def _add_turns(found: StepList, turns: Mapping[str, Any], kind: str) -> None:
    actions = turns["actions"]
    columns: dict[str, list[Any]] = {
        name: found_column if isinstance(found_column := turns.get(name), list) else []
        for name in ("observations", "rewards", "valid_action", "thoughts")
    }
    for position, action in enumerate(actions):
        at = {name: column[position] if position < len(column) else None for name, column in columns.items()}
        reward = number(at["rewards"])
        step = found.add(
            "agent",
            "",
            reasoning_content=content_text(at["thoughts"]) or None,
            extra={"reward": reward} if reward is not None else None,
        )
        observation = content_text(at["observations"])
        failed = at["valid_action"] is False or bool(_ERROR.match(observation))
        call = _call_of(content_text(action), observation, kind)
        if call is None:
            step["message"] = content_text(action)
            found.observe(step, observation, {"is_error": True} if failed else None)
        else:
            found.call(step, None, *call)
            found.result(step["tool_calls"][0]["tool_call_id"], observation, is_error=failed)


def _call_of(action: str, observation: str, kind: str) -> tuple[str, dict[str, str]] | None:
    """The tool and its arguments, or None when the agent sent prose instead of code."""
    tool, argument = _TOOLS[kind]
    if wrapped := _WRAPPED.match(action):
        return tool, {argument: wrapped["code"].strip()}
    if _SUBMIT.match(action):
        return "submit", {}
    if _NO_CODE.match(observation) or not action.strip():
        return None
    if kind == "sql" and not _SQL_START.match(action):
        return None
    return tool, {argument: action}


FORMAT = InterCode()
