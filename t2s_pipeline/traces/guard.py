"""What stands between a trace and everything that reads it: secrets are hidden, hostile text is held.

One guard watches the ingest of a run. It is called with every trace as it leaves its file, and keeps what
the store has to remember about it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

import polars as pl

from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store.frames import frame
from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline.traces.redact import RedactionReport, Redactor
from t2s_pipeline.traces.redaction.fingerprints import load_salt
from t2s_pipeline.traces.screen import ScreenReason, screen


class TraceGuard:
    """Redacts and screens traces; remembers per trace what was found until it is asked for."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._hidden: dict[str, RedactionReport] = {}
        self._held: dict[str, tuple[ScreenReason, ...]] = {}

    def __call__(self, record: TraceRecord) -> TraceRecord:
        """The trace without secrets."""
        clean, report = self._redactor.redact(record)
        if report.occurrences:
            self._hidden[record.trace_id] = report
        verdict = screen(clean)
        if verdict.held:
            self._held[record.trace_id] = verdict.reasons
        return clean

    def frames(self, trace_ids: Iterable[str], *, batch: str, skill: str) -> dict[str, pl.DataFrame]:
        """`redactions` and `held` rows of some traces; they are forgotten here afterwards."""
        hidden, held = [], []
        for trace_id in sorted(trace_ids):
            where = {"trace_id": trace_id, "batch": batch, "skill": skill}
            report = self._hidden.pop(trace_id, None)
            if report is not None:
                hidden += [{**where, "kind": v.kind, "fingerprint": v.fingerprint} for v in report.values]
            for reason in self._held.pop(trace_id, ()):
                told = {"kind": reason.kind, "step_id": reason.step_id}
                held.append({**where, **told, "place": reason.where, "excerpt": reason.excerpt})
        return {"redactions": frame("redactions", hidden), "held": frame("held", held)}


def guard_of(
    paths: DataPaths, settings: Settings, randomness: Callable[[int], bytes] = secrets.token_bytes
) -> TraceGuard:
    """The guard of a data root; the salt of its fingerprints is made on first use."""
    paths.root.mkdir(parents=True, exist_ok=True)
    return TraceGuard(Redactor(settings.redaction, load_salt(paths.salt, randomness)))
