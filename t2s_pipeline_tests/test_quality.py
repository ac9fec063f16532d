"""What the asset checks measure, on stores that were spoilt on purpose."""

from pathlib import Path

import polars as pl
import pytest

from t2s_pipeline import quality
from t2s_pipeline.analysts.analyse import analyse_batches
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.outstanding import plan_inbox
from t2s_pipeline.pipeline import Pipeline, pipeline_at
from t2s_pipeline.store import audit, queries
from t2s_pipeline.store.frames import frame
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline_tests.assets.builders import drop, pipeline_in
from t2s_pipeline_tests.skills.builders import Room, airline

pytestmark = pytest.mark.slow


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


SKILL = "airline-service-desk"


@pytest.fixture
def published(tmp_path: Path) -> Room:
    """A skill with rules in SKILL.md and in references, in place."""
    room = Room(tmp_path)
    room.learn(SKILL, airline())
    room.publish(SKILL)
    return room


def over(room: Room) -> Pipeline:
    return pipeline_at(room.settings)


def test_every_rule_of_a_published_skill_is_at_its_line_and_leads_to_a_quote(published: Room) -> None:
    found = quality.lineage(over(published), SKILL)

    assert found.rules > 3
    assert found.broken == ()


def test_rules_whose_lines_say_something_else_are_named(published: Room) -> None:
    page = published.skill(SKILL) / "SKILL.md"
    lines = page.read_text().splitlines()
    rules = queries.rules_of_skill(published.store, SKILL).filter(pl.col("path") == "SKILL.md")
    page.write_text("garbage\n" * len(lines))

    found = quality.lineage(over(published), SKILL)

    assert len(found.broken) == rules.height > 0
    assert all("of SKILL.md says something else" in told for told in found.broken)


def test_one_changed_word_of_a_rule_is_noticed(published: Room) -> None:
    page = published.skill(SKILL) / "SKILL.md"
    page.write_text(page.read_text().replace("**Pay with a gift card", "**Pay with a paper card"))

    assert len(quality.lineage(over(published), SKILL).broken) == 1


def test_rules_without_their_page_or_their_quotes_are_named(published: Room) -> None:
    (published.skill(SKILL) / "SKILL.md").write_text("")
    published.store.replace({"batch": f"{SKILL}-b1"}, {"evidence": frame("evidence")})

    found = quality.lineage(over(published), SKILL)

    assert any("SKILL.md has no line" in told for told in found.broken)
    assert sum("no quote leads to it" in told for told in found.broken) == found.rules


def test_a_deleted_rule_with_much_more_evidence_is_for_a_person_to_decide_on(published: Room) -> None:
    page = published.skill(SKILL) / "SKILL.md"
    deleted = next(line for line in page.read_text().splitlines() if "**Pay with a gift card" in line)
    page.write_text(page.read_text().replace(deleted + "\n", ""))
    before = quality.proposals(over(published), SKILL)

    published.learn(SKILL, [grown(cluster, 30) for cluster in airline()])
    published.publish(SKILL)

    (proposal,) = quality.proposals(over(published), SKILL)
    assert before == ()
    assert "gift card" in proposal.text
    assert quality.proposals(over(published), "never-published") == ()


def grown(cluster: Cluster, more: int) -> Cluster:
    counts = cluster.support.model_copy(update={"tasks": cluster.support.tasks + more})
    return cluster.model_copy(update={"support": counts})
