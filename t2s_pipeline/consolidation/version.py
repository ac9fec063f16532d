"""The version of the code that decides what clusters come out."""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline.analysts.version import source_version
from t2s_pipeline.traces import legible, permitted, rule_text

_GATE = [Path(str(module.__file__)) for module in (permitted, rule_text, legible)]
CLUSTERS_VERSION = source_version([Path(__file__).parent, *_GATE])
"""Changes whenever the same lessons could give other clusters."""
