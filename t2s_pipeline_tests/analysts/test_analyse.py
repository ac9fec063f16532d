"""From stored traces to stored lessons, on a real store."""

from __future__ import annotations

import pytest

from t2s_pipeline.analysts import analyse
from t2s_pipeline.analysts.analyse import analyse_batches, analyse_skill
from t2s_pipeline.analysts.version import analysts_version
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.store import frames, queries
from t2s_pipeline.store.store import Store
from t2s_pipeline_tests.builders import call, record_of, sql, user


@pytest.fixture
def store(tmp_path):
    return Store(DataPaths(tmp_path))


def put(store, records, batch="b1"):
    stage = frames.batch_stage_frame(batch=batch, skill="skill", stage="traces", code_version="1")
    store.replace({"batch": batch}, {**frames.trace_frames(records, batch), "batch_stages": stage})


def refused_then_right(number, **more):
    return record_of(
        user("total?"),
        sql("SELECT amount FROM sales", 'Binder Error: column "amount" not found', failed=True),
        sql("DESCRIBE sales", "total BIGINT"),
        sql("SELECT total FROM sales"),
        trace_id=f"t-{number}",
        task_id=f"task{number}",
        **more,
    )


def lessons_of(store):
    return queries.lessons_of_skill(store, "skill")


def test_lessons_actions_and_evidence_are_stored(store, tmp_path):
    put(store, [refused_then_right(1), refused_then_right(2)])

    report = analyse_batches(store, Settings(data=tmp_path), ["b1"])["b1"]

    assert (report.traces, report.lessons, report.refused) == (2, 2, 0)
    assert [lesson.trace_id for lesson in lessons_of(store)] != []
    assert len(queries.actions_of_skill(store, "skill")) == 6
    assert len(queries.evidence_of_skill(store, "skill")) == 4


def test_analysing_again_changes_nothing(store, tmp_path):
    put(store, [refused_then_right(1), refused_then_right(2)])
    settings = Settings(data=tmp_path)

    analyse_batches(store, settings, ["b1"])
    before = [lesson.model_dump() for lesson in lessons_of(store)]
    analyse_batches(store, settings, ["b1"])

    assert [lesson.model_dump() for lesson in lessons_of(store)] == before


def test_a_trace_spoilt_by_its_environment_teaches_nothing(store, tmp_path):
    put(store, [refused_then_right(1, infra_error=True), refused_then_right(2)])

    report = analyse_batches(store, Settings(data=tmp_path), ["b1"])["b1"]

    assert (report.traces, report.excluded, report.lessons) == (2, 1, 1)


def test_a_batch_without_traces_is_reported_as_empty(store, tmp_path):
    put(store, [])

    report = analyse_batches(store, Settings(data=tmp_path), ["b1"])["b1"]

    assert (report.skill, report.traces, report.lessons) == ("skill", 0, 0)


def test_attempts_at_the_same_tasks_are_compared_over_batches(store, tmp_path):
    for batch, verifies in (("b1", True), ("b2", False)):
        records = []
        for task in range(12):
            steps = [call("write", {"cell": f"A{task}"}), call("verify", {"sheet": "S"}, "A is set")]
            kept = steps if verifies else steps[:1]
            for attempt in range(2):
                records.append(
                    record_of(
                        user("fill it in"),
                        *kept,
                        trace_id=f"t-{batch}-{task}-{attempt}",
                        task_id=f"task{task}",
                        status="success" if verifies else "failure",
                    )
                )
        put(store, records, batch)
    settings = Settings(data=tmp_path)
    analyse_batches(store, settings, ["b1", "b2"])

    stored = analyse_skill(store, settings, "skill")

    contrasts = [lesson for lesson in lessons_of(store) if lesson.analyst == "contrast"]
    assert stored == len(contrasts) >= 12
    assert {lesson.signature.action for lesson in contrasts} == {"verify"}
    assert contrasts[0].facts["effect"]["strata"] == 12


@pytest.mark.slow
def test_several_processes_give_what_one_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(analyse, "BATCHES_AT_A_TIME", 1)
    found = []
    for workers in (1, 2):
        store = Store(DataPaths(tmp_path / str(workers)))
        for batch in range(3):
            put(store, [refused_then_right(10 * batch + number) for number in range(3)], f"b{batch}")
        settings = Settings(data=tmp_path / str(workers), workers=workers)
        reports = analyse_batches(store, settings, ["b0", "b1", "b2"])
        found.append((reports, [lesson.model_dump() for lesson in lessons_of(store)]))

    assert found[0] == found[1]


def test_a_trace_that_cannot_be_mined_costs_its_batch_nothing_else(tmp_path, monkeypatch):
    store = Store(DataPaths(tmp_path))
    put(store, [refused_then_right(number) for number in range(3)], "b1")
    real = analyse.lessons_of_run

    def failing(run):
        if run.trace_id == broken:
            raise RecursionError("too deep")
        return real(run)

    broken = store.query("SELECT min(trace_id) FROM traces").item()
    monkeypatch.setattr(analyse, "lessons_of_run", failing)

    (report,) = analyse_batches(store, Settings(data=tmp_path), ["b1"]).values()

    assert (report.traces, report.failed) == (3, 1)
    assert {lesson.trace_id for lesson in lessons_of(store)} == set(
        store.query("SELECT trace_id FROM traces WHERE trace_id <> ?", [broken])["trace_id"]
    )
    assert store.query("SELECT * EXCLUDE (skill) FROM analysis_failures").rows() == [
        ("b1", broken, "statistical", "unreadable", "RecursionError: too deep")
    ]
    # Asking again would give the same: the batch is finished.
    assert store.query("SELECT code_version FROM batch_stages WHERE stage = 'lessons'").rows() == [
        (analysts_version("statistical"),)
    ]
