"""The named questions, on a store with two skills that were taken all the way to rules."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

from t2s_pipeline.settings import DataPaths
from t2s_pipeline.store import lineage, queries
from t2s_pipeline.store.frames import (
    batch_stage_frame,
    clusters_frames,
    frame,
    lessons_frames,
    quarantine_frame,
    trace_frames,
)
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.record import Quarantined
from t2s_pipeline_tests.store.builders import batch_tables, cluster, lesson, record


def rule(rule_id: str, cluster_id: str, *, skill: str = "sql", line: int = 1) -> dict[str, object]:
    return {
        "rule_id": rule_id,
        "skill": skill,
        "version": "v1",
        "cluster_id": cluster_id,
        "path": "SKILL.md" if line < 50 else "references/more.md",
        "first_line": line,
        "last_line": line + 1,
        "text": f"Rule {rule_id}.",
    }


def version(skill: str, name: str, created_at: str, *, published: bool) -> dict[str, object]:
    counts = {"rules": 1, "lessons": 2, "published": published, "body": "{}"}
    return {"skill": skill, "version": name, "created_at": created_at, **counts}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Skill `sql`: two batches, three traces, three lessons, two clusters of which one is a rule.
    Skill `pdf`: one trace, one quarantined file, nothing learnt.
    """
    store = Store(DataPaths(tmp_path_factory.mktemp("data")), lock_timeout_s=20)
    first = [record("t-1"), record("t-2", status="failure", steps=3)]
    second = [record("t-3", status="unknown", task_id="task-2")]
    lessons = [lesson("t-1"), lesson("t-2"), lesson("t-3", do="Limit the rows.")]
    store.stage({"batch": "b1"}, trace_frames(first, "b1"))
    store.stage({"batch": "b2"}, trace_frames(second, "b2"))
    store.stage({"batch": "b1"}, lessons_frames(lessons[:2], "b1"))
    store.stage({"batch": "b2"}, lessons_frames(lessons[2:], "b2"))
    for stage in ("traces", "lessons"):
        done = batch_stage_frame(batch="b1", skill="sql", stage=stage, code_version="1", traces=2)
        store.stage({"batch": "b1"}, {"batch_stages": done})
    clusters = [cluster("c-1", lessons[:2]), cluster("c-2", lessons[2:], placement="candidate")]
    store.stage({"skill": "sql"}, clusters_frames(clusters))
    rules = [rule("r-9", "c-9", line=60), rule("r-1", "c-1", line=7)]
    versions = [
        version("sql", "v1", "2030-01-02T00:00:00+00:00", published=True),
        version("sql", "v0", "2030-01-01T00:00:00+00:00", published=True),
        version("sql", "v2", "2030-01-03T00:00:00+00:00", published=False),
    ]
    store.stage({"skill": "sql"}, {"rules": frame("rules", rules), "versions": frame("versions", versions)})
    broken = Quarantined(skill="pdf", uri="inbox/pdf/x.json", reason="empty file")
    store.stage(
        {"batch": "b3"},
        {**batch_tables("b3", ["t-8"], skill="pdf"), "quarantine": quarantine_frame([broken], "b3")},
    )
    store.load_staged()
    return store


def test_traces_and_steps_of_batches_come_in_order_with_everything(store: Store) -> None:
    traces = queries.traces_of_batches(store, ["b2", "b1"])
    steps = queries.steps_of_batches(store, ["b2", "b1"])

    assert traces["trace_id"].to_list() == ["t-1", "t-2", "t-3"]
    assert "header" in traces.columns
    assert steps.select("trace_id", "step_id").rows() == [
        ("t-1", 1), ("t-1", 2), ("t-2", 1), ("t-2", 2), ("t-2", 3), ("t-3", 1), ("t-3", 2)
    ]  # fmt: skip


def test_traces_of_a_skill_are_of_that_skill_only(store: Store) -> None:
    assert queries.traces_of_skill(store, "pdf")["trace_id"].to_list() == ["t-8"]
    assert queries.traces_of_skill(store, "nothing").is_empty()


def test_many_step_bodies_are_read_at_once_and_missing_ones_left_out(store: Store) -> None:
    bodies = queries.step_bodies(store, [("t-2", 3), ("t-1", 1), ("t-1", 1), ("t-1", 99), ("t-none", 1)])

    assert bodies.keys() == {("t-1", 1), ("t-2", 3)}
    assert '"step_id":3' in bodies["t-2", 3]
    assert queries.step_bodies(store, []) == {}


def test_steps_of_one_trace_and_of_several(store: Store) -> None:
    assert queries.steps_of_trace(store, "t-2")["step_id"].to_list() == [1, 2, 3]
    assert queries.steps_of_traces(store, ["t-3", "t-1"])["trace_id"].unique().sort().to_list() == [
        "t-1",
        "t-3",
    ]


def test_status_counts_one_row_per_skill_and_names_the_newest_published_version(store: Store) -> None:
    counts = queries.status_counts(store)

    assert counts["skill"].to_list() == ["pdf", "sql"]
    pdf, sql = counts.rows(named=True)
    assert (pdf["traces"], pdf["quarantined"], pdf["rules"], pdf["version"]) == (1, 1, 0, None)
    assert (sql["traces"], sql["tasks"], sql["success"], sql["failure"], sql["unknown"]) == (3, 2, 1, 1, 1)
    assert (sql["lessons"], sql["clusters"], sql["rules"], sql["version"]) == (3, 2, 2, "v1")


def test_batch_stages_list_traces_before_lessons(store: Store) -> None:
    stages = queries.batch_stages(store).select("skill", "batch", "stage").rows()

    assert stages == [("pdf", "b3", "traces"), ("sql", "b1", "traces"), ("sql", "b1", "lessons")]


def test_quarantine_is_read_for_some_batches_or_for_all(store: Store) -> None:
    assert queries.quarantine_rows(store)["reason"].to_list() == ["empty file"]
    assert queries.quarantine_rows(store, ["b1"]).is_empty()
    assert queries.refused_lesson_rows(store, ["b1"]).is_empty()


def test_rules_come_in_reading_order_and_are_found_by_line(store: Store) -> None:
    assert queries.rules_of_skill(store, "sql")["rule_id"].to_list() == ["r-1", "r-9"]
    assert lineage.rules_at_line(store, "sql", "SKILL.md", 8)["rule_id"].to_list() == ["r-1"]
    assert lineage.rules_at_line(store, "sql", "SKILL.md", 9).is_empty()


def test_a_rule_is_explained_down_to_the_source_of_each_quote(store: Store) -> None:
    rows = lineage.explain_rows(store, "sql", "r-1")

    assert sorted(rows["trace_id"]) == ["t-1", "t-2"]
    assert rows["cluster_id"].unique().to_list() == ["c-1"]
    assert sorted(rows["quote"]) == ["table t-1", "table t-2"]
    assert sorted(rows["source_uri"]) == ["inbox/sql/chat.jsonl#Lt-1", "inbox/sql/chat.jsonl#Lt-2"]
    assert sorted(rows["outcome"]) == ["failure", "success"]


def test_a_rule_without_evidence_is_still_named(store: Store) -> None:
    (row,) = lineage.explain_rows(store, "sql", "r-9").rows(named=True)

    assert (row["text"], row["lesson_id"], row["quote"]) == ("Rule r-9.", None, None)


def test_impact_names_the_rules_and_clusters_that_rest_on_a_trace(store: Store) -> None:
    on_rule = lineage.impact(store, "t-1").select("cluster_id", "rule_id", "traces", "quotes").rows()
    on_candidate = lineage.impact(store, "t-3").select("cluster_id", "placement", "rule_id").rows()

    assert on_rule == [("c-1", "r-1", 2, 1)]
    assert on_candidate == [("c-2", "candidate", None)]
    assert lineage.impact(store, "t-8").is_empty()


def test_rules_come_with_the_support_of_their_clusters(store: Store) -> None:
    rows = lineage.supported_rules(store, "sql").select("rule_id", "traces", "success", "failure").rows()

    assert rows == [("r-1", 2, 2, 0), ("r-9", None, None, None)]


def test_each_trace_comes_with_the_lines_it_taught(store: Store) -> None:
    rows = lineage.lines_by_trace(store, "sql").select("trace_id", "status", "lessons", "lines").rows()

    assert rows == [("t-1", "success", 1, ["SKILL.md:7"]), ("t-2", "failure", 1, ["SKILL.md:7"])]


def test_the_lessons_of_a_trace_name_their_clusters_and_quotes(store: Store) -> None:
    (row,) = lineage.lessons_of_trace(store, "t-3").rows(named=True)

    assert (row["cluster_id"], row["do_"], row["quote"]) == ("c-2", "Limit the rows.", "table t-3")
    assert lineage.lessons_of_trace(store, "t-8").is_empty()


def test_a_trace_is_named_by_the_beginning_of_its_id_or_the_end_of_its_source(store: Store) -> None:
    def named(name: str) -> list[str]:
        return queries.traces_named(store, name)["trace_id"].to_list()

    assert named("t-1") == named("chat.jsonl#Lt-1") == named("inbox/sql/chat.jsonl#Lt-1") == ["t-1"]
    assert named("t-")[:3] == ["t-1", "t-2", "t-3"]
    assert named("jsonl#Lt-1") == named("%") == []


def test_evidence_and_lesson_rows_of_a_skill(store: Store) -> None:
    assert queries.evidence_of_skill(store, "sql")["trace_id"].sort().to_list() == ["t-1", "t-2", "t-3"]
    assert queries.lesson_rows(store, ["b2"])["trace_id"].to_list() == ["t-3"]
    assert queries.versions_of_skill(store, "sql")["version"].to_list() == ["v0", "v1", "v2"]
    assert queries.conflicts_of_skill(store, "sql").is_empty()
    assert queries.actions_of_skill(store, "sql").is_empty()


@pytest.mark.slow
def test_a_rule_is_explained_in_half_a_second_among_a_hundred_thousand_lessons(tmp_path: Path) -> None:
    count, size = 100_000, 1_000
    index = pl.select(pl.int_range(count).alias("n")).with_columns(
        lesson_id=pl.format("l-{}", "n"), trace_id=pl.format("t-{}", pl.col("n") % 10_000),
        cluster_id=pl.format("c-{}", pl.col("n") // size),
    )  # fmt: skip
    model = lesson("t-1")
    lesson_row, quote_row = (
        rows.drop("lesson_id", "trace_id") for rows in lessons_frames([model], "b").values()
    )
    traces = trace_frames([record("t-1")], "b")["traces"].drop("trace_id")
    clusters = clusters_frames([cluster("c-1", [model])])["clusters"].drop("cluster_id")
    store = Store(DataPaths(tmp_path))
    ids = index.select("lesson_id", "trace_id")
    store.replace(
        {"batch": "b"},
        {
            "traces": index.select("trace_id").unique().join(traces, how="cross"),
            "lessons": ids.join(lesson_row, how="cross"),
            "evidence": ids.join(quote_row, how="cross"),
        },
    )
    store.replace(
        {"skill": "sql"},
        {
            "clusters": index.select("cluster_id").unique().join(clusters, how="cross"),
            "cluster_lessons": index.select("cluster_id", "lesson_id").with_columns(skill=pl.lit("sql")),
            "rules": frame("rules", [rule("r-1", "c-7")]),
        },
    )

    started = time.perf_counter()
    rows = lineage.explain_rows(store, "sql", "r-1")
    seconds = time.perf_counter() - started

    assert rows.height == size
    assert seconds < 0.5
