"""What the store is told about versions and published rules: a copy of the files, for queries."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from t2s_pipeline.skills.lineage_file import Lineage
from t2s_pipeline.skills.place import Place, lineage_of
from t2s_pipeline.skills.versions import VersionRecord
from t2s_pipeline.store.store import Store


def project_versions(store: Store, place: Place) -> None:
    """Copy what the files say about versions and published rules into the store."""
    files = place.files() or {}
    lineage = lineage_of(files)
    current = place.deployed(files)
    store.replace(
        {"skill": place.versions.skill},
        {
            "rules": _rule_rows(place.versions.skill, lineage),
            "versions": _version_rows(place.versions.records(), current),
        },
    )


def _rule_rows(skill: str, lineage: Lineage | None) -> pl.DataFrame:
    rows = [
        (rule.rule_id, skill, lineage.version, rule.cluster_id, rule.path, rule.line, rule.line, rule.text)
        for rule in (lineage.rules if lineage else ())
        if lineage
    ]
    text, number = pl.String(), pl.Int32()
    schema = {
        "rule_id": text,
        "skill": text,
        "version": text,
        "cluster_id": text,
        "path": text,
        "first_line": number,
        "last_line": number,
        "text": text,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _version_rows(records: Sequence[VersionRecord], current: str | None) -> pl.DataFrame:
    rows = [
        {
            "skill": record.skill,
            "version": record.version,
            "parent": record.parent,
            "created_at": record.created_at,
            "rules": record.rules,
            "lessons": record.lessons,
            "published": record.version == current,
            "body": record.model_dump_json(),
        }
        for record in records
    ]
    schema = {
        "skill": pl.String(),
        "version": pl.String(),
        "parent": pl.String(),
        "created_at": pl.String(),
        "rules": pl.Int32(),
        "lessons": pl.Int32(),
        "published": pl.Boolean(),
        "body": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema)
