from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2s_pipeline.consolidation.findings import Finding, findings_of
from t2s_pipeline.consolidation.merge import Effort, Judgement, Stated
from t2s_pipeline.consolidation.nodes import NodesInMemory
from t2s_pipeline.consolidation.tree import Judged, judge_findings, topics_of
from t2s_pipeline_tests.consolidation.builders import CostlyMerger, SpellingEmbedder, exact, worded

EMBEDDER = SpellingEmbedder()
WORDS = ("total", "fare", "seat", "refund", "schema", "column", "cell", "sheet", "token", "user")


def finding(trigger: str, **fields: Any) -> Finding:
    (one,) = findings_of(exact(worded(trigger=trigger, **fields))).found
    return one


def judged(findings: Sequence[Finding], merger: CostlyMerger | None = None) -> Judged:
    return judge_findings(findings, merger or CostlyMerger(), EMBEDDER, NodesInMemory())


some_findings = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), max_size=40, unique=True
).map(lambda triggers: [finding(trigger) for trigger in sorted(triggers)])


@given(some_findings, st.integers(2, 6))
@settings(deadline=None)
def test_every_finding_is_in_one_topic_no_larger_than_the_engine_reads(
    findings: list[Finding], most: int
) -> None:
    topics = topics_of(findings, EMBEDDER, most)

    assert sorted(index for topic in topics for index in topic) == list(range(len(findings)))
    assert all(len(topic) <= most for topic in topics)


@given(some_findings, st.sampled_from(WORDS))
@settings(deadline=None)
def test_a_new_finding_changes_only_the_topic_it_falls_into(findings: list[Finding], word: str) -> None:
    before = {frozenset(findings[i].key for i in topic) for topic in topics_of(findings, EMBEDDER, 4)}
    new = finding(f"{word} {word} {word} {word} {word}")

    grown = sorted([*findings, new], key=lambda one: one.key)
    after = {frozenset(grown[i].key for i in topic) for topic in topics_of(grown, EMBEDDER, 4)}

    changed = before - after
    assert len(changed) <= 1
    assert {key for topic in after - before for key in topic} - {new.key} <= {k for t in changed for k in t}


def test_findings_of_different_tools_are_never_judged_together() -> None:
    findings = [finding("total fare", tool=tool) for tool in ("book", "cancel")]

    assert topics_of(findings, EMBEDDER, 16) == [[0], [1]]


def test_what_the_engine_takes_for_the_same_is_joined() -> None:
    result = judged([finding("total is off"), finding("total mismatch"), finding("unknown user")])

    assert result.same == ((0, 1), (2,))
    assert result.effort == Effort(asked=1)


@pytest.mark.parametrize("fields", [{"kind": "prune"}, {"negated": True}, {"action": "use 7 seats"}])
def test_the_engine_cannot_join_what_structured_fields_keep_apart(fields: dict[str, Any]) -> None:
    result = judged([finding("total is off"), finding("total mismatch", **fields)])

    assert result.same == ((0,), (1,))


@pytest.mark.parametrize("same", [((0,),), ((0, 1), (1,)), ((0, 1, 2),), ()])
def test_a_judgement_that_does_not_account_for_every_finding_once_is_refused(
    same: tuple[tuple[int, ...], ...],
) -> None:
    class Careless(CostlyMerger):
        def judge(self, findings: Sequence[Stated]) -> Judgement:  # noqa: ARG002
            return Judgement(same=same)

    result = judged([finding("total is off"), finding("total mismatch")], Careless())

    assert result.same == ((0,), (1,))
    assert result.effort == Effort(asked=2, fallbacks=1)


def test_an_unchanged_topic_is_not_judged_again() -> None:
    findings = [finding("total is off"), finding("total mismatch")]
    merger, nodes = CostlyMerger(), NodesInMemory()
    first = judge_findings(findings, merger, EMBEDDER, nodes)

    again = judge_findings(findings, merger, EMBEDDER, nodes)

    assert again.same == first.same
    assert again.effort == Effort(kept=1)
    assert merger.judged == [2]
