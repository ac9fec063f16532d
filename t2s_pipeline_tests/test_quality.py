"""What the asset checks measure, on stores that were spoilt on purpose."""

from pathlib import Path

import polars as pl
import pytest

from t2s_pipeline import quality
from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.outstanding import plan_inbox
from t2s_pipeline.pipeline import Pipeline
from t2s_pipeline.store import audit
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.assets.builders import drop, pipeline_in


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """Two traces analysed and nothing consolidated."""
    made = pipeline_in(tmp_path)
    drop(made, "booking", "a.jsonl", range(2))
    batches = plan_inbox(made)
    ingest_batches(made.store, made.paths, made.settings, batches)
    analyse_batches(made.store, made.settings, [batch.key for batch in batches])
    return made


KEY = "booking.00001.0000"


def test_quotes_that_are_in_their_steps_are_grounded(pipeline: Pipeline) -> None:
    found = quality.grounding(pipeline.store, [KEY])[KEY]

    assert found.quotes > 0
    assert found.missing == ()


def test_a_quote_that_is_not_in_its_steps_is_named(pipeline: Pipeline) -> None:
    evidence = audit.evidence_of_batches(pipeline.store, [KEY])
    spoilt = evidence.with_columns(quote=pl.lit("nobody said this"))
    pipeline.store.replace({"batch": KEY}, {"evidence": spoilt})

    found = quality.grounding(pipeline.store, [KEY])[KEY]

    assert len(found.missing) == found.quotes == evidence.height


def test_lessons_in_no_cluster_are_counted_as_lost(pipeline: Pipeline) -> None:
    found = quality.accounting(pipeline.store, "booking")

    assert found.lessons == len(found.lost) == 2
    assert not found.placed
    assert not found.holds


def test_lessons_in_clusters_are_counted_by_place_and_none_twice(pipeline: Pipeline) -> None:
    consolidate_skill(pipeline.store, pipeline.settings, "booking", StatisticalMerger())

    found = quality.accounting(pipeline.store, "booking")
    members = pipeline.store.query("SELECT * FROM cluster_lessons")
    pipeline.store.replace({"skill": "booking"}, {"cluster_lessons": pl.concat([members, members])})
    doubled = quality.accounting(pipeline.store, "booking")

    assert found.holds
    assert sum(found.placed.values()) == found.lessons == 2
    assert not doubled.holds and not doubled.lost


def test_the_share_read_counts_what_was_quarantined(pipeline: Pipeline) -> None:
    rates = quality.parse_rates(pipeline.store, [KEY, "never-read"])

    assert set(rates) == {KEY}
    assert rates[KEY].share == 1.0
    assert quality.ParseRate(read=3, quarantined=1).share == 0.75
    assert quality.ParseRate(read=0, quarantined=0).share == 1.0


def test_a_skill_that_was_never_published_breaks_the_specification(pipeline: Pipeline) -> None:
    assert quality.spec_problems(pipeline, "booking")
