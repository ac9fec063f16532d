"""Parses JSON, and says in plain words why it cannot.

Producers write JSON that is not quite JSON: `NaN`, half of a surrogate pair, raw control characters.
Those are repaired and reported; anything else is refused with a reason.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from t2s_pipeline.errors import TraceError

REPAIRED = "not strict JSON (NaN, lone surrogates, control characters or huge numbers): repaired"

_LARGEST_INTEGER = 2**63


def parse(raw: bytes) -> tuple[Any, bool]:
    """The value and whether it had to be repaired. Raises TraceError with the reason."""
    try:
        return orjson.loads(raw), False
    except orjson.JSONDecodeError as error:
        strict_error = error
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TraceError(
            f"not UTF-8 (byte 0x{raw[error.start]:02x} at position {error.start + 1}), perhaps Latin-1 or "
            "Windows-1252: convert the file to UTF-8"
        ) from error
    try:
        return _storable(json.loads(text, strict=False)), True
    except RecursionError as error:
        raise TraceError("JSON nested too deeply to read") from error
    except ValueError as error:
        raise TraceError(_reason(text, strict_error)) from error


def _reason(text: str, error: orjson.JSONDecodeError) -> str:
    stripped = text.strip()
    if not stripped.startswith(("{", "[")):
        return "not a JSON object"
    if error.pos >= len(text.rstrip()) - 1 or not stripped.endswith(("}", "]")):
        return f"truncated JSON: it ends in the middle ({len(text)} characters)"
    return f"not valid JSON at character {error.pos + 1}: {error.msg}"


def _storable(value: Any) -> Any:
    """The value with what no store can hold replaced: NaN and infinities by None, surrogates by U+FFFD,
    integers of more than 64 bits by their digits."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_LARGEST_INTEGER <= value < _LARGEST_INTEGER else str(value)
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(inner) for key, inner in value.items()}
    return value
