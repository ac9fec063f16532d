"""What the Dagster UI shows of a result: counts to plot, tables, a preview of the skill, paths to open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from t2s_pipeline.analysts.analyse import AnalysisReport
from t2s_pipeline.consolidation.consolidate import ConsolidationReport
from t2s_pipeline.intake import HeldTrace, held_by_batch
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.skills.publish import PublishReport
from t2s_pipeline.store import lineage, queries
from t2s_pipeline.traces.batch_content import IngestReport
from t2s_pipeline.traces.inbox import Batch

Metadata = dict[str, dg.MetadataValue[Any]]

TABLE_ROWS = 50
"""Rows of a table that are kept with a materialisation; the store has them all."""

PREVIEW_CHARACTERS = 30_000


def inbox_metadata(batch: Batch) -> Metadata:
    """The files of a batch and about how many traces are in them."""
    rows = [
        {
            "file": file.path,
            "bytes": file.size,
            "from trace": file.first_record,
            "traces": "all" if file.records is None else str(file.records),
        }
        for file in batch.slices
    ]
    return {
        "skill": dg.MetadataValue.text(batch.skill),
        "traces (estimate)": dg.MetadataValue.int(batch.traces),
        "files": table(rows),
    }


def traces_metadata(pipeline: Pipeline, reports: Mapping[str, IngestReport]) -> dict[str, Metadata]:
    """Per batch: what was read, what was set aside or is held and why, and what the traces are."""
    held = held_by_batch(pipeline.store, list(reports))
    return {key: _batch_metadata(report, held.get(key, ())) for key, report in reports.items()}


def held_table(held: Sequence[HeldTrace]) -> dg.TableMetadataValue:
    """The traces that wait for a person, with the reasons."""
    return table(
        [{"trace": one.trace_id, "where": one.where, "reasons": "; ".join(one.reasons)} for one in held]
    )


def _batch_metadata(report: IngestReport, held: Sequence[HeldTrace]) -> Metadata:
    metadata: Metadata = {
        "skill": dg.MetadataValue.text(report.skill),
        "traces": dg.MetadataValue.int(report.traces),
        "dagster/row_count": dg.MetadataValue.int(report.traces),
        "quarantined": dg.MetadataValue.int(report.quarantined),
        "duplicates": dg.MetadataValue.int(report.duplicates),
        "replaced": dg.MetadataValue.int(report.replaced),
        "held": dg.MetadataValue.int(len(held)),
        "formats": dg.MetadataValue.json(dict(report.formats)),
        "outcomes": dg.MetadataValue.json(dict(report.outcomes)),
    }
    if report.warnings:
        most = sorted(report.warnings.items(), key=lambda told: (-told[1], told[0]))
        metadata["warnings"] = table([{"warning": warning, "traces": count} for warning, count in most])
    if report.reasons:
        metadata["quarantine"] = table([{"where": uri, "reason": why} for uri, why in report.reasons])
    if held:
        metadata["held traces"] = held_table(held)
    if report.forgotten:
        metadata["forgotten"] = dg.MetadataValue.int(report.forgotten)
    return metadata


def lessons_metadata(pipeline: Pipeline, reports: Mapping[str, AnalysisReport]) -> dict[str, Metadata]:
    """Per batch: the lessons, how many of which kind, and what was refused."""
    rows = queries.lesson_rows(pipeline.store, list(reports))
    by_batch = {key[0]: part for key, part in rows.group_by("batch")}
    return {
        key: _lessons_of_batch(report, by_batch.get(key, rows.clear())) for key, report in reports.items()
    }


def _lessons_of_batch(report: AnalysisReport, rows: pl.DataFrame) -> Metadata:
    kinds = rows["kind"].value_counts().sort("kind")
    shown = rows.select("kind", "outcome", when="when_", do="do_", because="because", trace="trace_id")
    return {
        "skill": dg.MetadataValue.text(report.skill),
        "traces": dg.MetadataValue.int(report.traces),
        "lessons": dg.MetadataValue.int(rows.height),
        "dagster/row_count": dg.MetadataValue.int(rows.height),
        "refused": dg.MetadataValue.int(report.refused),
        "kinds": dg.MetadataValue.json(dict(kinds.iter_rows())),
        "not analysed": dg.MetadataValue.int(report.failed),
        "model calls": dg.MetadataValue.int(report.model_calls),
        "tokens sent": dg.MetadataValue.int(report.tokens_sent),
        "cost in USD": dg.MetadataValue.text(
            "unknown" if report.cost_usd is None else f"{report.cost_usd:.4f}"
        ),
        "what they say": table(shown.to_dicts()),
    }


def dollars(cost_usd: float | None) -> str:
    """A cost for a person; unknown when no price is known."""
    return "unknown" if cost_usd is None else f"{cost_usd:.4f}"


def clusters_metadata(pipeline: Pipeline, report: ConsolidationReport, contrasts: int) -> Metadata:
    """What the lessons of the skill came to, best supported first."""
    clusters = sorted(
        queries.clusters_of_skill(pipeline.store, report.skill),
        key=lambda cluster: (-cluster.support.tasks, -cluster.support.traces, cluster.cluster_id),
    )
    rows = [
        {
            "placement": cluster.placement,
            "advice": cluster.text.headline,
            "tasks": cluster.support.tasks,
            "traces": cluster.support.traces,
            "succeeded": cluster.support.success,
            "failed": cluster.support.failure,
            "why there": cluster.reason,
            "cluster": cluster.cluster_id,
        }
        for cluster in clusters
    ]
    conflicts = queries.conflicts_of_skill(pipeline.store, report.skill)
    metadata: Metadata = {
        "lessons": dg.MetadataValue.int(report.lessons),
        "contrast lessons": dg.MetadataValue.int(contrasts),
        "clusters": dg.MetadataValue.int(report.clusters),
        "dagster/row_count": dg.MetadataValue.int(report.clusters),
        "in SKILL.md": dg.MetadataValue.int(report.admitted),
        "in references": dg.MetadataValue.int(report.references),
        "candidates": dg.MetadataValue.int(report.candidates),
        "not permitted": dg.MetadataValue.int(report.not_permitted),
        "conflicts": dg.MetadataValue.int(conflicts.height),
        "what they say": table(rows),
    }
    if conflicts.height:
        metadata["decided conflicts"] = table(conflicts.drop("skill").to_dicts())
    return metadata


def directory_metadata(pipeline: Pipeline, report: PublishReport) -> Metadata:
    """The published skill: a preview, its rules with their support, what each trace taught, and its size."""
    directory = Path(report.path)
    rules = lineage.supported_rules(pipeline.store, report.skill).select(
        "rule_id",
        "text",
        "tasks",
        "traces",
        succeeded="success",
        failed="failure",
        where=pl.format("{}:{}", "path", "first_line"),
        cluster="cluster_id",
    )
    taught = lineage.lines_by_trace(pipeline.store, report.skill).select(
        source="uri",
        outcome="status",
        lines=pl.col("lines").list.join(", "),
        lessons="lessons",
        task="task_id",
        trace="trace_id",
    )
    metadata: Metadata = {
        "preview": dg.MetadataValue.md(preview(directory / "SKILL.md")),
        "version": dg.MetadataValue.text(report.version),
        "changed": dg.MetadataValue.bool(report.changed),
        "rules": dg.MetadataValue.int(report.rules),
        "dagster/row_count": dg.MetadataValue.int(report.rules),
        "references": dg.MetadataValue.int(report.references),
        "edited by hand": dg.MetadataValue.int(report.hand_edited),
        "withheld": dg.MetadataValue.int(report.withheld),
        "lines": dg.MetadataValue.int(report.lines),
        "tokens": dg.MetadataValue.int(report.tokens),
        "directory": dg.MetadataValue.path(str(directory)),
        "SKILL.md": dg.MetadataValue.path(str(directory / "SKILL.md")),
        "explain a line": dg.MetadataValue.text(f"t2s explain {directory / 'SKILL.md'}:LINE"),
        "follow a trace": dg.MetadataValue.text("t2s impact TRACE"),
        "what it rests on": table(rules.to_dicts()),
        "what traces taught": table(taught.to_dicts()),
    }
    if report.parent:
        metadata["parent"] = dg.MetadataValue.text(report.parent)
    if report.proposals:
        metadata["for a person to decide on"] = table([{"deleted rule": rule} for rule in report.proposals])
    if report.problems:
        metadata["problems"] = table([{"problem": problem} for problem in report.problems])
    return metadata


def preview(skill_file: Path) -> str:
    """A SKILL.md as Markdown: its frontmatter as a table would be lost, so it is shown as code."""
    text = skill_file.read_text(encoding="utf-8")
    head, fence, body = text.removeprefix("---\n").partition("\n---\n")
    shown = f"```yaml\n{head}\n```\n\n{body}" if fence and text.startswith("---\n") else text
    if len(shown) <= PREVIEW_CHARACTERS:
        return shown
    return f"{shown[:PREVIEW_CHARACTERS]}\n\n… the rest is in {skill_file}"


def table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """The first rows as a table; all rows have the columns of the first."""
    records = [
        dg.TableRecord({column: _cell(value) for column, value in row.items()}) for row in rows[:TABLE_ROWS]
    ]
    columns = [dg.TableColumn(name, _type_of(rows[0][name])) for name in rows[0]] if rows else []
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema(columns=columns))


def _cell(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else "" if value is None else str(value)


def _type_of(value: Any) -> str:
    return "int" if isinstance(value, int) else "float" if isinstance(value, float) else "string"
