"""The version of what the same files are read as: of the code that reads them, and of its settings."""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline.settings import Settings
from t2s_pipeline.sources import settings_version, source_version

_ELSEWHERE = frozenset(
    # How work is cut, shared out and reported, and what a rule may say: none of it changes a trace.
    (
        "inbox.py",
        "ingest.py",
        "worker.py",
        "released.py",
        "decisions.py",
        "permitted.py",
        "rule_text.py",
        "version.py",
    )
)
_CODE = source_version([Path(__file__).parent], (".py", ".toml"), without=_ELSEWHERE)
_DECIDING = (
    "redaction",
    "max_record_mb",
    "success_reward",
    "id_key",
    "task_key",
    "reward_key",
    "trial_key",
    "agent_key",
)


def traces_version(settings: Settings) -> str:
    """Changes whenever the same files could give other traces."""
    return f"{_CODE}-{settings_version(settings, _DECIDING)}"


def why_read_again(version: str, settings: Settings) -> str | None:
    """Why traces that were read under a version have to be read again; None when they need not."""
    code, _, read_with = version.partition("-")
    if version == traces_version(settings):
        return None
    if not version:
        return "what is known about the traces has changed"
    if code == _CODE and read_with:
        return "settings that decide how traces are read have changed"
    return "the code that reads traces has changed"
