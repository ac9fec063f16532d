"""The laws of consolidation: a function of the set, local, and nothing lost."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Cluster, LessonMerger
from t2s_pipeline.consolidation.consolidate import account, consolidate
from t2s_pipeline.consolidation.kept import KeptDrafts
from t2s_pipeline.consolidation.nodes import NodeFiles, Nodes
from t2s_pipeline.consolidation.result import Consolidation
from t2s_pipeline_tests.consolidation.builders import (
    SKILL,
    CostlyMerger,
    PlainMerger,
    SpellingEmbedder,
    any_lesson,
    lesson,
    some_lessons,
    worded,
)

EMBEDDER = SpellingEmbedder()
Engine = type[PlainMerger] | type[CostlyMerger]
some_examples = settings(deadline=None, max_examples=40)
mergers = pytest.mark.parametrize("merger", [PlainMerger, CostlyMerger])


def result_of(
    lessons: Sequence[Lesson],
    merger: LessonMerger | None = None,
    nodes: Nodes | None = None,
    kept: KeptDrafts | None = None,
) -> Consolidation:
    return consolidate(
        lessons,
        skill=SKILL,
        min_tasks=2,
        merger=merger or PlainMerger(),
        embedder=EMBEDDER,
        nodes=nodes,
        kept=kept,
    )


def said(result: Consolidation) -> tuple[object, ...]:
    return result.clusters, result.conflicts, result.refused, result.root


@mergers
@given(lessons=some_lessons, random=st.randoms())
@some_examples
def test_any_order_of_the_same_lessons_gives_the_same_clusters(
    merger: Engine, lessons: list[Lesson], random: Random
) -> None:
    shuffled = list(lessons)
    random.shuffle(shuffled)

    assert said(result_of(lessons, merger())) == said(result_of(shuffled, merger()))


@mergers
@given(batches=st.lists(some_lessons, min_size=1, max_size=4))
@settings(deadline=None, max_examples=25)
def test_batch_after_batch_with_kept_answers_equals_all_at_once_without(
    merger: Engine, batches: list[list[Lesson]]
) -> None:
    with TemporaryDirectory() as directory:
        nodes = NodeFiles(Path(directory))
        arrived: list[Lesson] = []
        for batch in batches:
            arrived += batch
            step_by_step = result_of(arrived, merger(), nodes)

    assert said(step_by_step) == said(result_of(arrived, merger()))


@mergers
@given(steps=st.lists(some_lessons, min_size=2, max_size=4))
@settings(deadline=None, max_examples=25)
def test_kept_drafts_change_nothing_whatever_lessons_come_and_go(
    merger: Engine, steps: list[list[Lesson]]
) -> None:
    with TemporaryDirectory() as directory:
        nodes = NodeFiles(Path(directory))
        for step in steps:
            lessons = [*steps[0], *step]
            kept = KeptDrafts(merger().name)
            kept.read(Path(directory) / "drafts.parquet")
            result = result_of(lessons, merger(), nodes, kept)
            kept.write(Path(directory) / "drafts.parquet")

            assert said(result) == said(result_of(lessons, merger()))


@mergers
@given(lessons=some_lessons)
@some_examples
def test_every_lesson_is_in_one_cluster_or_refused_with_a_reason(
    merger: Engine, lessons: list[Lesson]
) -> None:
    result = result_of(lessons, merger())

    balance = account(lessons, result)
    assert balance.holds
    assert balance.lessons == len({one.lesson_id for one in lessons})
    assert balance.lessons == (
        balance.in_skill + balance.in_references + balance.in_candidates + balance.refused
    )
    assert all(entry.reason for entry in result.refused)


@mergers
@given(lessons=some_lessons, more=st.lists(any_lesson, max_size=5))
@some_examples
def test_lessons_change_no_cluster_they_share_nothing_with(
    merger: Engine, lessons: list[Lesson], more: list[Lesson]
) -> None:
    elsewhere = [
        one.model_copy(update={"signature": one.signature.model_copy(update={"tool": "elsewhere"})})
        for one in more
    ]

    before, after = result_of(lessons, merger()), result_of([*lessons, *elsewhere], merger())

    kept = [cluster for cluster in after.clusters if cluster.signature.tool != "elsewhere"]
    assert kept == list(before.clusters)


@given(lessons=some_lessons)
@some_examples
def test_a_new_finding_about_the_same_tool_changes_no_other(lessons: list[Lesson]) -> None:
    new = lesson(99, task="z", tool="book", trigger="zeta eta theta", do="Look it up.")

    before, after = result_of(lessons), result_of([*lessons, new])

    assert [one for one in after.clusters if one.lesson_ids != (new.lesson_id,)] == list(before.clusters)


def test_a_later_trace_promotes_a_candidate() -> None:
    (waiting,) = result_of([lesson(1, task="a")]).clusters
    (promoted,) = result_of([lesson(1, task="a"), lesson(2, task="b")]).clusters

    assert (waiting.placement, promoted.placement) == ("candidate", "skill")
    assert waiting.cluster_id == promoted.cluster_id


def test_what_is_no_advice_yet_waits_with_the_reason() -> None:
    (cluster,) = result_of([lesson(1, task="a", do=""), lesson(2, task="b", do="")]).clusters

    assert (cluster.placement, cluster.reason) == ("candidate", "no advice a person could follow yet")
    assert cluster.support.tasks == 2


def test_equal_advice_for_different_triggers_becomes_one_rule() -> None:
    facts = {"advice": "compute the total"}
    one = lesson(1, task="a", facts=facts)
    other = lesson(2, task="b", trigger="gift card balance is not enough", facts=facts)

    (cluster,) = result_of([one, other]).clusters

    assert cluster.lesson_ids == tuple(sorted((one.lesson_id, other.lesson_id)))
    assert (cluster.placement, cluster.support.tasks) == ("skill", 2)


def test_a_lesson_of_another_skill_or_without_evidence_is_refused() -> None:
    foreign, unfounded = lesson(1, skill="sql"), lesson(2, evidence=False)

    result = result_of([foreign, unfounded])

    reasons = {entry.lesson_id: entry.reason for entry in result.refused}
    assert reasons == {
        foreign.lesson_id: "belongs to skill sql",
        unfounded.lesson_id: "has no evidence",
    }


def test_a_balance_that_does_not_hold_says_which_lessons() -> None:
    lost, kept = lesson(1), lesson(2, trigger="no such column")
    result = result_of([kept])

    balance = account([lost, kept], result)
    doubled = account([kept], replace(result, drafts=result.drafts * 2))

    assert (balance.holds, balance.lost) == (False, (lost.lesson_id,))
    assert (doubled.holds, doubled.twice) == (False, (kept.lesson_id,))


def test_an_engine_that_always_fails_loses_no_lesson() -> None:
    lessons = [worded(n, task=str(n), trigger=f"total {word}") for n, word in enumerate("abcd")]
    lessons += [worded(n, task=str(n)) for n in range(10, 14)]

    result = result_of(lessons, CostlyMerger(failures=1000))

    assert account(lessons, result).holds
    assert result.effort.fallbacks == 2


def test_an_engine_that_costs_is_not_asked_for_candidates() -> None:
    merger = CostlyMerger()

    result_of([worded(1, task="a", outcome="success")], merger)

    assert merger.merges == []


def test_ten_new_traces_cost_few_merges() -> None:
    def taught(trace: int) -> list[Lesson]:
        return [
            worded(trace, task=f"task-{trace % 200}", tool=f"tool-{number}", trigger=trigger)
            for number, trigger in enumerate(
                (f"refused because of reason {trace % 40}", "balance is not enough", f"rare case {trace}")
            )
        ]

    merger = CostlyMerger(fan_in=16)
    with TemporaryDirectory() as directory:
        nodes = NodeFiles(Path(directory))
        before = [one for trace in range(1000) for one in taught(trace)]
        result_of(before, merger, nodes)
        added = [one for trace in range(1000, 1010) for one in taught(trace)]
        update = result_of([*before, *added], merger, nodes)

    assert update.effort.asked <= 30


def clusters_by_id(result: Consolidation) -> dict[str, Cluster]:
    return {cluster.cluster_id: cluster for cluster in result.clusters}


@given(lessons=some_lessons)
@some_examples
def test_the_root_changes_exactly_when_something_that_is_said_changes(lessons: list[Lesson]) -> None:
    whole, part = result_of(lessons), result_of(lessons[1:])

    same = clusters_by_id(whole) == clusters_by_id(part) and whole.conflicts == part.conflicts
    assert (whole.root == part.root) == same
