"""The llm engine on stored traces, against a real endpoint on this machine."""

from __future__ import annotations

import polars as pl
import pytest

from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.analysts.merger import merger_of
from t2s_pipeline.analysts.version import KEPT, analysts_version
from t2s_pipeline.analysts.worded import BY_CODE, words_version
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.errors import EndpointError, T2SError
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store import frames, queries
from t2s_pipeline.store.store import Store
from t2s_pipeline.store.taught import failures
from t2s_pipeline_tests.builders import record_of, sql, user
from t2s_pipeline_tests.llm.server import LocalServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server(monkeypatch):
    for name in ("OPENAI_API_KEY", "T2S_API_KEY", "T2S_BASE_URL", "T2S_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with LocalServer() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        yield running


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path, engine="llm")


@pytest.fixture
def store(tmp_path):
    return Store(DataPaths(tmp_path))


def put(store, count, batch="b1"):
    records = [
        record_of(
            user(f"how many orders in month {number}?"),
            sql("SELECT amount FROM sales", 'Binder Error: column "amount" not found', failed=True),
            sql("DESCRIBE sales", "total BIGINT, month INTEGER"),
            sql(f"SELECT sum(total) FROM sales WHERE month = {number}", f"[({number * 7},)]"),
            trace_id=f"t-{batch}-{number}",
            task_id=f"task{number // 2}",
            status="success" if number % 2 else "failure",
        )
        for number in range(count)
    ]
    stage = frames.batch_stage_frame(batch=batch, skill="skill", stage="traces", code_version="1")
    store.replace({"batch": batch}, {**frames.trace_frames(records, batch), "batch_stages": stage})


def paid_calls(store):
    return store.query("SELECT count(*) AS n FROM llm_calls")["n"][0]


def finished_version(store):
    rows = queries.batch_stages(store)
    return rows.filter(rows["stage"] == "lessons")["code_version"][0]


@pytest.mark.usefixtures("server")
def test_both_engines_teach_and_every_call_is_noted_once(store, settings):
    put(store, 6)

    report = analyse_batches(store, settings, ["b1"])["b1"]

    engines = {lesson.engine for lesson in queries.lessons_of_skill(store, "skill")}
    assert engines == {"statistical", "llm"}
    assert report.model_calls == paid_calls(store) >= 6
    assert report.failed == 0


def test_reading_again_asks_nobody_and_changes_nothing(store, settings, server):
    put(store, 4)
    analyse_batches(store, settings, ["b1"])
    before = [lesson.model_dump() for lesson in queries.lessons_of_skill(store, "skill")]
    asked, paid = server.seen.bodies.total(), paid_calls(store)

    report = analyse_batches(store, settings, ["b1"])["b1"]

    assert report.model_calls == 0
    assert paid_calls(store) == paid
    assert [lesson.model_dump() for lesson in queries.lessons_of_skill(store, "skill")] == before
    assert server.seen.bodies.total() == asked


def test_what_could_not_be_read_is_recorded_and_the_batch_stays_unfinished(
    store, settings, server, monkeypatch
):
    monkeypatch.setenv("T2S_MAX_ATTEMPTS", "1")
    put(store, 4)
    server.misbehave(content="this is no JSON at all")

    report = analyse_batches(store, settings, ["b1"])["b1"]

    failures = store.query("SELECT * FROM analysis_failures")
    assert report.failed == 4 == failures["trace_id"].n_unique()
    assert "4-failed" in finished_version(store)
    assert {lesson.engine for lesson in queries.lessons_of_skill(store, "skill")} == {"statistical"}

    server.misbehave(content=None)
    again = analyse_batches(store, settings, ["b1"])["b1"]

    assert again.failed == 0
    assert "failed" not in finished_version(store)
    assert store.query("SELECT * FROM analysis_failures").is_empty()


@pytest.mark.usefixtures("server")
def test_the_models_lessons_are_merged_by_the_model(store, settings):
    put(store, 6)
    analyse_batches(store, settings, ["b1"])

    with merger_of(store, settings, "skill") as merger:
        report = consolidate_skill(store, settings, "skill", merger)

    assert merger.name == "llm"
    assert report.balance.holds
    assert report.lessons == len(queries.lessons_of_skill(store, "skill"))


def test_without_an_endpoint_the_engine_says_what_to_set(store, settings, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "T2S_API_KEY", "T2S_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    put(store, 1)

    with pytest.raises(EndpointError, match="OPENAI_BASE_URL"):
        analyse_batches(store, settings, ["b1"])


@pytest.fixture
def taught(store, settings, server):
    """A store whose traces a model has read and whose rules it has worded."""
    put(store, 6)
    analyse_batches(store, settings, ["b1"])
    consolidated(store, settings)
    return server


def consolidated(store, settings):
    with merger_of(store, settings, "skill") as merger:
        report = consolidate_skill(store, settings, "skill", merger)
    return report, queries.clusters_of_skill(store, "skill")


def by_model(store):
    return [lesson for lesson in queries.lessons_of_skill(store, "skill") if lesson.engine == "llm"]


def test_without_the_engine_nobody_is_asked_and_what_the_model_taught_and_worded_stays(
    store, settings, taught
):
    before, clusters, asked = by_model(store), queries.clusters_of_skill(store, "skill"), taught.seen.chats
    plain = settings.model_copy(update={"engine": "auto"})
    taught.misbehave(down=True)

    analyse_batches(store, plain, ["b1"])
    report, after = consolidated(store, plain)

    assert by_model(store) == before != []
    assert after == clusters
    assert (report.fallbacks, taught.seen.chats) == (0, asked)
    assert finished_version(store).endswith(KEPT)
    assert words_version(plain, "skill") == words_version(settings, "skill")


@pytest.mark.usefixtures("taught")
def test_asked_for_the_statistical_engine_takes_the_model_out_again(store, settings):
    without = settings.model_copy(update={"engine": "statistical"})

    analyse_batches(store, without, ["b1"])
    consolidated(store, without)

    assert by_model(store) == []
    assert finished_version(store) == analysts_version("statistical")
    assert words_version(settings.model_copy(update={"engine": "auto"}), "skill") == BY_CODE


@pytest.mark.usefixtures("taught")
def test_lessons_of_a_model_that_are_kept_follow_what_is_known_of_their_trace(store, settings):
    plain = settings.model_copy(update={"engine": "auto"})
    first, *_, second = sorted({lesson.trace_id for lesson in by_model(store)})  # of different tasks
    rows = store.query("SELECT * FROM traces")
    relabelled = rows.with_columns(status=pl.lit("partial"))
    hidden = store.query('SELECT * REPLACE (\'{"message": "<hidden>"}\' AS body) FROM steps')
    of_second = pl.col("trace_id") == second
    store.replace({"trace_id": [first]}, {"traces": relabelled.filter(pl.col("trace_id") == first)})
    store.replace(
        {"trace_id": [second]}, {"traces": rows.filter(of_second), "steps": hidden.filter(of_second)}
    )

    analyse_batches(store, plain, ["b1"])

    kept = by_model(store)
    assert {lesson.outcome for lesson in kept if lesson.trace_id == first} == {"partial"}
    assert second not in {lesson.trace_id for lesson in kept}
    refused = queries.refused_lesson_rows(store, ["b1"]).filter(pl.col("trace_id") == second)
    assert refused["reason"].str.contains("the quote is not in steps").all() and len(refused)


def test_words_the_model_is_not_asked_for_are_noted_until_it_is(store, settings, taught):
    plain = settings.model_copy(update={"engine": "auto"})
    gone = by_model(store)[0].trace_id
    asked = taught.seen.chats

    store.erase_traces([gone])
    report, _ = consolidated(store, plain)
    noted = failures(store)
    consolidated(store, settings)

    assert report.fallbacks == len(noted) > 0
    assert set(noted["reason"]) == {"the model was not asked; `t2s run --engine llm` asks it"}
    assert taught.seen.chats > asked
    assert failures(store).is_empty()


def test_words_the_model_fails_to_give_are_noted_with_the_reason(store, settings, server, monkeypatch):
    monkeypatch.setenv("T2S_MAX_ATTEMPTS", "1")
    put(store, 6)
    analyse_batches(store, settings, ["b1"])
    server.misbehave(content="this is no JSON at all")

    report, _ = consolidated(store, settings)

    noted = failures(store)
    assert report.fallbacks == len(noted) > 0
    assert set(noted["analyst"]) <= {"merge", "judge"}
    assert set(noted["status"]) == {"invalid"}


def test_a_setting_of_the_endpoint_that_makes_no_sense_is_named(store, settings, monkeypatch):
    monkeypatch.setenv("T2S_BUDGET_USD", "five")
    put(store, 1)

    with pytest.raises(T2SError, match="T2S_BUDGET_USD is set to 'five'"):
        analyse_batches(store, settings, ["b1"])
