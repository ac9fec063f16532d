"""Inspect AI logs: `.json` (one document with `samples`) and `.eval` (a zip with one file per sample).

A sample is a trace. Its `target`, the scorers' answers and explanations and its metadata may hold the right
answer: only messages, scores' values, usage and errors are read. New `.eval` files are compressed with
zstd, which zipfile knows from Python 3.14 on and before that learns from `zipfile-zstd`.
"""

from __future__ import annotations

import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from t2s_pipeline.errors import TraceError
from t2s_pipeline.traces.conversation import StepList, add_message, number, trajectory, whole
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
from t2s_pipeline.traces.layouts import members_of, too_large
from t2s_pipeline.traces.outcomes import outcome_of_reward
from t2s_pipeline.traces.record import Outcome, Usage
from t2s_pipeline.traces.strictness import parse

if sys.version_info < (3, 14):
    import zipfile_zstd  # type: ignore[import-untyped]  # noqa: F401  teaches zipfile to read zstd members
    from zstandard import ZstdError
else:
    from compression.zstd import ZstdError

_DAMAGED: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zlib.error,
    ZstdError,
)
"""What zipfile and the libraries below it raise for a member that cannot be unpacked."""
with suppress(ImportError):  # a Python may be built without it
    from lzma import LZMAError

    _DAMAGED += (LZMAError,)

_SAMPLE_KEYS = frozenset(
    "id epoch input choices target sandbox files setup messages output scores metadata store events "
    "model_usage role_usage started_at completed_at total_time working_time uuid invalidation "
    "message_pool error error_retries attachments limit events_data timelines".split()
)
_MESSAGE_KEYS = frozenset(
    "id role content source metadata tool_calls tool_call_id function error model internal".split()
)
_CHAT_KEYS = ("role", "content", "tool_calls", "tool_call_id", "model")
_HEADER_KEYS = ("version", "status", "eval")
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Correct, partial, incorrect, no answer, with the numbers Inspect gives them."""
_ATTACHMENT = re.compile(r"attachment://([0-9a-zA-Z]+)")


class InspectLog(Format):
    name = "inspect_log"
    title = "Inspect AI log"

    def recognises(self, head: Head) -> int:
        if head.shape == "zip":
            names = set(head.members)
            return 90 if "header.json" in names or "_journal/start.json" in names else 0
        evaluation = head.fields.get("eval")
        return 90 if isinstance(evaluation, dict) and {"version", "status"} <= head.fields.keys() else 0

    def records(self, source: SourceFile) -> Iterator[RawRecord | Damage]:
        return _zipped(source) if source.head.shape == "zip" else members_of(source, "samples", _HEADER_KEYS)

    def identity(self, record: Record) -> str | None:
        own = record.value.get("uuid") if isinstance(record.value, dict) else None
        return own if isinstance(own, str) and own else None

    def convert(self, record: Record) -> Converted:
        value = record.value
        if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
            raise TraceError("not an Inspect sample: it has no list of `messages`")
        found = StepList()
        drift: set[str] = set()
        attachments = value["attachments"] if isinstance(value.get("attachments"), dict) else {}
        for message in value["messages"]:
            drift |= message.keys()
            _add(found, _resolved(message, attachments))
        steps, warnings = found.finish()
        evaluation = record.header.get("eval") or {}
        model = evaluation.get("model")
        agent = model if isinstance(model, str) else "unknown"
        task = evaluation.get("task")
        packages = evaluation.get("packages")
        epoch = value.get("epoch")
        return Converted(
            trajectory=trajectory(steps, agent="inspect", model_name=agent if agent != "unknown" else None),
            outcome=_outcome(record),
            usage=_usage(value.get("model_usage")),
            task_id=f"{task}/{value.get('id')}" if task else str(value.get("id")),
            trial=None if epoch is None else str(epoch),
            agent=agent,
            format_version=_text(packages.get("inspect_ai")) if isinstance(packages, dict) else None,
            warnings=(
                *warnings,
                *unknown_keys("sample", value.keys(), _SAMPLE_KEYS),
                *unknown_keys("message", drift, _MESSAGE_KEYS),
            ),
        )


def _zipped(source: SourceFile) -> Iterator[RawRecord | Damage]:
    """The samples of an `.eval` file by name. Sizes are checked while reading: an archive can lie."""
    try:
        with zipfile.ZipFile(source.path) as archive:
            names = sorted(name for name in archive.namelist() if _is_sample(name))
            header = _header(archive, source.limit)
            for name in names:
                raw = _member(archive, name, source.limit)
                if isinstance(raw, Damage):
                    yield raw
                else:
                    yield RawRecord(f"/{name}", raw, header=header)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise TraceError(f"a damaged zip archive: {error}") from error


def _is_sample(name: str) -> bool:
    return name.startswith("samples/") and name.endswith(".json")


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes | Damage:
    try:
        with archive.open(name) as stream:
            raw = stream.read(limit + 1)
    except _DAMAGED as error:
        return Damage(f"/{name}", f"the archive is damaged here: {error}")
    if len(raw) > limit:
        return Damage(f"/{name}", too_large("sample", archive.getinfo(name).file_size, limit))
    return raw


def _header(archive: zipfile.ZipFile, limit: int) -> Json:
    """`header.json`, or, for a log that was not finished, what its journal says of the start."""
    for name in ("header.json", "_journal/start.json"):
        if name in archive.namelist():
            raw = _member(archive, name, limit)
            if isinstance(raw, bytes):
                value, _ = parse(raw)
                return value if isinstance(value, dict) else {}
    return {}


def _resolved(value: Any, attachments: Mapping[str, Any]) -> Any:
    """The value with references to attachments replaced by what they stand for."""
    if not attachments:
        return value
    if isinstance(value, str):
        if "attachment://" not in value:
            return value
        return _ATTACHMENT.sub(lambda match: str(attachments.get(match[1], match[0])), value)
    if isinstance(value, list):
        return [_resolved(one, attachments) for one in value]
    if isinstance(value, dict):
        return {key: _resolved(one, attachments) for key, one in value.items()}
    return value


def _add(found: StepList, message: Json) -> None:
    kept: Json = {key: message[key] for key in _CHAT_KEYS if key in message}
    error = message.get("error")
    if message.get("role") == "tool" and isinstance(error, dict):
        kept["is_error"] = True
        kept["content"] = kept.get("content") or _text(error.get("message"))
    add_message(found, kept)


def _outcome(record: Record) -> Outcome:
    value = record.value
    error = value.get("error")
    if isinstance(error, dict):
        detail = _text(error.get("message")) or "the sample ended with an error"
        return Outcome(status="error", source="benchmark", infra_error=True, detail=detail[:500])
    scores = value["scores"] if isinstance(value.get("scores"), dict) else {}
    first = next((one.get("value") for one in scores.values() if isinstance(one, dict)), None)
    if isinstance(first, str):
        first = _LETTERS.get(first, first)
    outcome = outcome_of_reward(first, "benchmark", record.source.settings)
    limit = value.get("limit")
    if isinstance(limit, dict):
        return outcome.model_copy(update={"detail": f"stopped by its {limit.get('type')} limit"})
    return outcome


def _usage(by_model: Any) -> Usage:
    parts = [one for one in by_model.values() if isinstance(one, dict)] if isinstance(by_model, dict) else []
    if not parts:
        return Usage()
    costs = [cost for cost in (number(one.get("total_cost")) for one in parts) if cost is not None]
    return Usage(
        input_tokens=sum(map(_input_tokens, parts)),
        output_tokens=sum(whole(one.get("output_tokens")) or 0 for one in parts),
        cached_tokens=sum(whole(one.get("input_tokens_cache_read")) or 0 for one in parts),
        cost_usd=sum(costs) if costs else None,
    )


def _input_tokens(usage: Mapping[str, Any]) -> int:
    """All prompt tokens: some providers count cached ones inside `input_tokens`, some beside; the total
    counts them once in either case."""
    total, output = whole(usage.get("total_tokens")), whole(usage.get("output_tokens"))
    told = whole(usage.get("input_tokens")) or 0
    return max(told, total - output) if total is not None and output is not None else told


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


FORMAT = InspectLog()
