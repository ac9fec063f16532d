"""OpenHands trajectories: lists of events (V0), evaluation rows with a `history`, and SDK events (V1).

V0 events are actions and observations that point at their `cause`; SDK events say their `kind`. An SDK
conversation kept as one file per event (`events/event-00000-….json`) is read from its first file on.
A solution's correctness is not in the events; an evaluation row has it only after scoring.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import trajectory
from t2s_pipeline.traces.format import (
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
from t2s_pipeline.traces.layouts import document, lines, session, too_large
from t2s_pipeline.traces.openhands_events import EventSteps
from t2s_pipeline.traces.outcomes import outcome_of_reward
from t2s_pipeline.traces.record import Outcome

_EVENT_FILE = re.compile(r"^event-\d+.*\.json$")
_ROW_KEYS = frozenset(
    "instance_id instance test_result instruction metadata history metrics error report attempt".split()
)


class OpenHands(Format):
    name = "openhands"
    title = "OpenHands trajectory"

    def recognises(self, head: Head) -> int:
        for sample in head.objects():
            if isinstance(sample.get("history"), list) and "instance_id" in sample:
                return 85
            if _is_event(sample):
                return 75
        return 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        if _EVENT_FILE.match(source.path.name):
            return _one_file_per_event(source)
        if any("history" in sample for sample in source.head.objects()):
            return lines(source) if source.head.shape == "lines" or source.head.one_line else document(source)
        return session(source) if source.head.shape == "lines" else document(source)

    def is_side_file(self, path: Path) -> bool:
        """Every event of a folder but the first. Not by listing them all: there are as many questions."""
        if not _EVENT_FILE.match(path.name) or not _is_plain(path):
            return False
        with os.scandir(path.parent) as beside:
            return any(
                one.name < path.name and _EVENT_FILE.match(one.name) and one.is_file(follow_symlinks=False)
                for one in beside
            )

    def companions(self, path: Path) -> Sequence[Path]:
        return _event_files(path)[1:] if _EVENT_FILE.match(path.name) else ()

    def convert(self, record: Record) -> Converted:
        row = record.value if isinstance(record.value, dict) else {}
        found = EventSteps()
        for event in _events(record.value):
            found.add(event)
        steps, warnings = found.finish()
        if not steps:
            raise TraceError("the trace has no steps: no message, action or observation in it")
        config = row["metadata"] if isinstance(row.get("metadata"), dict) else {}
        llm = config["llm_config"] if isinstance(config.get("llm_config"), dict) else {}
        model = found.model or llm.get("model")
        model = model if isinstance(model, str) else None
        named = row.get("instance_id")
        return Converted(
            trajectory=trajectory(
                steps, agent="openhands", version=found.version, model_name=model, session_id=found.session
            ),
            outcome=_outcome(row, record),
            usage=found.usage(row.get("metrics")),
            task_id=named if isinstance(named, str) else None,
            agent=f"openhands {model}" if model else "openhands",
            format_version=found.version,
            warnings=(*warnings, *unknown_keys("row", row.keys(), _ROW_KEYS)),
        )


def _is_event(sample: Json) -> bool:
    """An event of V0 (action or observation with a source) or of the SDK (a kind and a source)."""
    if "kind" in sample and "source" in sample and str(sample["kind"]).endswith(("Event", "Observation")):
        return True
    return "source" in sample and "timestamp" in sample and bool({"action", "observation"} & sample.keys())


def _events(value: Any) -> list[Json]:
    if isinstance(value, dict):
        value = value.get("history", [value])
    events = [one[1] if isinstance(one, tuple) else one for one in value or ()]
    return [event for event in events if isinstance(event, dict)]


def _event_files(path: Path) -> list[Path]:
    events = (one for one in path.parent.glob("event-*.json") if _EVENT_FILE.match(one.name))
    return sorted(one for one in events if _is_plain(one)) or [path]


def _is_plain(path: Path) -> bool:
    """A file that is neither a link nor a pipe."""
    return path.is_file() and not path.is_symlink()


def _one_file_per_event(source: SourceFile) -> Iterator[RawRecord | Damage]:
    files = _event_files(source.path)
    size = sum(one.stat().st_size for one in files)
    if size > source.limit:
        yield Damage("", too_large("session", size, source.limit))
        return
    # Events are pretty-printed or not; a session is parsed line by line, so each becomes one line.
    raw = b"\n".join(b" ".join(one.read_bytes().split(b"\n")) for one in files)
    yield RawRecord("", raw, lines=True)


def _outcome(row: Json, record: Record) -> Outcome:
    """The verdict that scoring adds to an evaluation row, or the error that ended the run."""
    result = row["test_result"] if isinstance(row.get("test_result"), dict) else {}
    for report in (row.get("report"), result.get("report"), result):
        if isinstance(report, dict) and isinstance(report.get("resolved"), bool):
            return outcome_of_reward(report["resolved"], "benchmark", record.source.settings)
    error = row.get("error")
    if isinstance(error, str) and error:
        of_agent = any(words in error.lower() for words in ("maximum iteration", "stuck", "budget"))
        return Outcome(status="error", source="heuristic", infra_error=not of_agent, detail=error[:500])
    return Outcome()


FORMAT = OpenHands()
