"""Versions of a skill that rest on a forgotten trace are deleted.

Not only the quotes in their lineage come from the trace: the words of any of their rules may, and nobody can
tell which. So what was learnt with it goes as a whole. One can go back to versions from before it was read,
or from after it was forgotten; what people changed by hand lives on in the version in place.
"""

from __future__ import annotations

from collections.abc import Collection

from t2s_pipeline.skills.place import Place, lineage_of
from t2s_pipeline.skills.versions import Versions
from t2s_pipeline.traces.forgotten import Forgotten


def forget_versions(place: Place, forgotten: Collection[Forgotten]) -> tuple[str, ...]:
    """Delete every version that rests on one of these traces, and those that cannot do without it; their
    ids are returned. What is in place stays, and what the pipeline alone would have written for it.

    The caller holds the lock of the versions.
    """
    versions = place.versions
    resting = versions_resting_on(versions, forgotten)
    files = place.files()
    current = place.deployed(files) if files else None
    needed = {current, versions.record(current).generated} if current else set()
    gone = resting - needed
    for record in versions.records():
        # Without what the pipeline alone would have written, hand edits cannot be merged any more.
        if record.generated in gone and record.version not in needed:
            gone.add(record.version)
    versions.delete(gone)
    return tuple(sorted(gone))


def versions_resting_on(versions: Versions, forgotten: Collection[Forgotten]) -> set[str]:
    """Versions with a rule that rests on a lesson of one of these traces, or with a quote of one."""
    lessons = {lesson for item in forgotten for lesson in item.lessons}
    traces = {item.trace_id for item in forgotten}
    return {
        record.version
        for record in versions.records()
        if versions.lessons(record.version) & lessons or _quoted(versions, record.version) & traces
    }


def _quoted(versions: Versions, version: str) -> set[str]:
    lineage = lineage_of(versions.tree(version))
    return {quote.trace_id for rule in (lineage.rules if lineage else ()) for quote in rule.evidence}
