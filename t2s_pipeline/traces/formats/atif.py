"""ATIF trajectories, v1.0 to v1.8, with Harbor's `result.json` beside them.

The body is taken as it is (unknown fields are dropped with a warning, older versions become v1.8, which is
a superset). ATIF knows no outcome, task or reward: where a Harbor trial folder is around the file
(`<trial>/result.json`, `<trial>/agent/trajectory.json`), they come from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from atif import (
    Agent,
    ContentPart,
    FinalMetrics,
    Metrics,
    Observation,
    ObservationResult,
    Step,
    SubagentTrajectoryRef,
    ToolCall,
    Trajectory,
)
from pydantic import BaseModel

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import iso_time, number, usage_from, usage_of_steps, whole
from t2s_pipeline.traces.format import (
    ATIF_VERSION,
    Converted,
    Damage,
    Format,
    Head,
    Json,
    RawRecord,
    Record,
    SourceFile,
    unknown_keys,
)
from t2s_pipeline.traces.layouts import members, whichever
from t2s_pipeline.traces.outcomes import status_of_number
from t2s_pipeline.traces.record import Outcome, Usage
from t2s_pipeline.traces.strictness import parse

_RESULT_KEYS = frozenset({"task_name", "trial_name", "verifier_result", "agent_info", "agent_result"})
_LARGEST_RESULT = 16 << 20
"""Bytes of a result.json that is looked at; real ones have a few kB."""
_AGENT_ONLY = ("model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics")


class Atif(Format):
    name = "atif"
    title = "ATIF trajectory"

    def recognises(self, head: Head) -> int:
        return 95 if any(map(_is_atif, (*head.objects(), *head.fields.values()))) else 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        named = source.head.shape == "object" and not any(map(_is_atif, source.head.objects()))
        return members(source) if named else whichever(source)

    def companions(self, path: Path) -> Sequence[Path]:
        return [file] if path.name.startswith("trajectory") and (file := _result_file(path)) else []

    def is_side_file(self, path: Path) -> bool:
        """Everything in a Harbor trial folder except its trajectories belongs to them."""
        trial = next((folder for folder in path.parents[:3] if _is_trial(folder)), None)
        return trial is not None and not path.name.startswith("trajectory")

    def identity(self, record: Record) -> str | None:
        value = record.value
        named = value.get("trajectory_id") or value.get("session_id") if isinstance(value, dict) else None
        return named if isinstance(named, str) and named else None

    def convert(self, record: Record) -> Converted:
        if not isinstance(record.value, dict):
            raise TraceError("not an ATIF trajectory but " + type(record.value).__name__)
        warnings: list[str] = []
        version = str(record.value.get("schema_version") or "")
        document = _known(record.value, Trajectory, "trajectory", warnings)
        document["schema_version"] = ATIF_VERSION
        document["agent"].setdefault("version", "unknown")
        steps = document.get("steps") or []
        for place, step in enumerate(steps, start=1):
            _settle(step, place, warnings)
        result = _result_beside(record.source.path)
        agent = document["agent"]
        names = [name for name in (agent.get("name"), agent.get("model_name")) if isinstance(name, str)]
        task = result.get("task_name")
        return Converted(
            trajectory={**document, "steps": steps},
            outcome=_outcome(result, record),
            usage=_usage(document, result),
            task_id=task if isinstance(task, str) else None,
            trial=result["trial_name"] if isinstance(result.get("trial_name"), str) else None,
            agent=" ".join(names) or "unknown",
            format_version=version.removeprefix("ATIF-v") or None,
            warnings=tuple(dict.fromkeys(warnings)),
        )


_PARTS: Mapping[type[BaseModel], Mapping[str, type[BaseModel]]] = {
    Trajectory: {
        "agent": Agent,
        "steps": Step,
        "final_metrics": FinalMetrics,
        "subagent_trajectories": Trajectory,
    },
    Step: {
        "message": ContentPart,
        "tool_calls": ToolCall,
        "observation": Observation,
        "metrics": Metrics,
    },
    Observation: {"results": ObservationResult},
    ObservationResult: {"content": ContentPart, "subagent_trajectory_ref": SubagentTrajectoryRef},
}
"""Which fields of an ATIF model hold other ATIF models, singly or in a list."""


def _known(value: Mapping[str, Any], model: type[BaseModel], where: str, warnings: list[str]) -> Json:
    """The fields ATIF knows, at every level; the others are dropped and reported."""
    fields = frozenset(model.model_fields)
    warnings.extend(unknown_keys(where, value.keys(), fields))
    kept: Json = {key: inner for key, inner in value.items() if key in fields and inner is not None}
    for key, part in _PARTS.get(model, {}).items():
        inner = kept.get(key)
        if isinstance(inner, dict):
            kept[key] = _known(inner, part, key, warnings)
        elif isinstance(inner, list):
            kept[key] = [_known(one, part, key, warnings) if isinstance(one, dict) else one for one in inner]
    return kept


def _settle(step: Json, place: int, warnings: list[str]) -> None:
    """What older producers leave loose and v1.8 fixes: numbering, times, fields of the wrong source."""
    if step.get("step_id") != place:
        warnings.append("steps are numbered anew")
        step["step_id"] = place
    step.setdefault("message", "")
    if "timestamp" in step and iso_time(step["timestamp"]) is None:
        warnings.append("a timestamp that is no ISO 8601 time was left out")
        del step["timestamp"]
    if step.get("source") != "agent":
        for name in _AGENT_ONLY:
            if step.pop(name, None) is not None:
                warnings.append(f"`{name}` of a step that is not the agent's was left out")
    results = step.get("observation", {}).get("results") or []
    calls = {call.get("tool_call_id") for call in step.get("tool_calls") or ()}
    for result in results:
        for reference in result.get("subagent_trajectory_ref", ()):
            if not reference.keys() & {"trajectory_id", "trajectory_path"} and "session_id" in reference:
                reference["trajectory_id"] = reference["session_id"]  # how references were made before v1.7
        if result.get("source_call_id") is not None and result["source_call_id"] not in calls:
            warnings.append("a tool result answers no call")
            result["extra"] = {
                **result.get("extra", {}),
                "orphan": True,
                "call_id": result.pop("source_call_id"),
            }


def _is_atif(sample: Any) -> bool:
    """A trajectory by its version, or, without one, by its steps with step_id and source, and an agent."""
    if not isinstance(sample, Mapping):
        return False
    if str(sample.get("schema_version", "")).startswith("ATIF"):
        return True
    steps = sample.get("steps")
    first = steps[0] if isinstance(steps, list) and steps else None
    return (
        isinstance(sample.get("agent"), dict)
        and isinstance(first, dict)
        and {"step_id", "source"} <= first.keys()
    )


def _is_trial(folder: Path) -> bool:
    return _is_plain(folder / "result.json") and _is_plain(folder / "agent" / "trajectory.json")


def _is_plain(path: Path) -> bool:
    """A file, as far as this user may look, and no link."""
    try:
        return path.is_file() and not path.is_symlink()
    except PermissionError:
        return False


def _result_file(path: Path) -> Path | None:
    files = [folder / "result.json" for folder in path.parents[:2]]
    return next((one for one in files if _is_plain(one) and one.stat().st_size <= _LARGEST_RESULT), None)


def _result_beside(path: Path) -> Json:
    """Harbor's result.json of the trial the trajectory belongs to; empty when there is none."""
    file = _result_file(path)
    if file is None:
        return {}
    try:
        value, _ = parse(file.read_bytes())
    except (TraceError, OSError):
        return {}
    return value if isinstance(value, dict) and _RESULT_KEYS & value.keys() else {}


def _outcome(result: Json, record: Record) -> Outcome:
    problem = result.get("exception_info")
    detail = None
    if isinstance(problem, dict):
        detail = f"{problem.get('exception_type') or 'exception'}: {problem.get('exception_message') or ''}"[
            :500
        ]
    verifier = result.get("verifier_result")
    rewards = verifier.get("rewards") if isinstance(verifier, dict) else None
    numbers = [one for one in map(number, (rewards or {}).values()) if one is not None]
    if not isinstance(rewards, dict) or not numbers:
        status = "error" if detail else "unknown"
        return Outcome(
            status=status, source="verifier" if detail else "none", infra_error=bool(detail), detail=detail
        )
    reward = number(rewards.get("reward"))
    reward = sum(numbers) / len(numbers) if reward is None else reward
    status = status_of_number(reward, record.source.settings)
    return Outcome(status=status, reward=reward, source="verifier", detail=detail)


def _usage(document: Json, result: Json) -> Usage:
    told = result.get("agent_result")
    final = document.get("final_metrics") or {}
    usage = usage_from({name.removeprefix("total_"): value for name, value in final.items()})
    if usage == Usage():
        usage = usage_of_steps(document.get("steps") or [])
    if usage == Usage() and isinstance(told, dict):
        return Usage(
            input_tokens=whole(told.get("n_input_tokens")),
            output_tokens=whole(told.get("n_output_tokens")),
            cached_tokens=whole(told.get("n_cache_tokens")),
            cost_usd=number(told.get("cost_usd")),
        )
    return usage


FORMAT = Atif()
