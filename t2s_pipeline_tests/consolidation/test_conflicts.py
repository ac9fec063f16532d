from typing import Any

import pytest

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.consolidation.conflicts import Conflict
from t2s_pipeline.consolidation.consolidate import consolidate
from t2s_pipeline.consolidation.result import Consolidation
from t2s_pipeline_tests.consolidation.builders import SKILL, PlainMerger, lesson


def outcome_of(*lessons: Lesson) -> Consolidation:
    return consolidate(lessons, skill=SKILL, min_tasks=2, merger=PlainMerger())


def advised(tasks: str, **fields: Any) -> list[Lesson]:
    """One lesson per letter of `tasks`, which names its task; the traces are its own."""
    defaults = {
        "pattern": "habit",
        "trigger": "booking a flight",
        "action": "ask the user",
        "outcome": "success",
    }
    kind = str(fields.get("kind", "preserve"))
    return [
        lesson(
            f"t-{task}-{kind}-{fields.get('negated', False)}",
            task=task,
            **{**defaults, "kind": kind, **fields},
        )
        for task in tasks
    ]


def only_conflict(result: Consolidation) -> tuple[Conflict, Cluster, Cluster]:
    (conflict,) = result.conflicts
    clusters = {cluster.cluster_id: cluster for cluster in result.clusters}
    return conflict, clusters[conflict.winner], clusters[conflict.loser]


def test_of_opposite_advice_the_one_seen_in_more_tasks_stands() -> None:
    result = outcome_of(*advised("abc"), *advised("de", negated=True))

    conflict, winner, loser = only_conflict(result)
    assert (conflict.decision, conflict.reason) == ("evidence", "3 tasks against 2")
    assert not winner.signature.negated and winner.placement == "skill"
    assert loser.placement == "candidate"
    assert loser.reason == f"lost to {winner.cluster_id}: 3 tasks against 2"


def test_with_equal_tasks_the_share_of_success_decides() -> None:
    result = outcome_of(*advised("ab", outcome="failure"), *advised("cd", negated=True))

    conflict, winner, _ = only_conflict(result)
    assert winner.signature.negated
    assert conflict.reason == "100 % of its runs succeeded against 0 %"


def test_a_measured_effect_outweighs_the_share_of_success() -> None:
    effect = {"success_with": 0.8, "success_without": 0.4, "strata": 9, "p_value": 0.01, "q_value": 0.02}
    measured = advised("ab", outcome="failure", facts={"effect": effect})
    result = outcome_of(
        *measured, *advised("cd", negated=True, facts={"effect": {**effect, "success_with": 0.5}})
    )

    conflict, winner, _ = only_conflict(result)
    assert not winner.signature.negated
    assert conflict.reason == "success changes by +40 points against +10"


@pytest.mark.parametrize(
    ("strong", "weak"),
    [
        ({"kind": "repair"}, {"kind": "preserve"}),
        ({"kind": "prune", "facts": {"counterfactual": "as good without"}}, {"kind": "preserve"}),
        ({"kind": "preserve"}, {"kind": "prune"}),
    ],
)
def test_with_equal_evidence_the_kind_decides(strong: dict[str, Any], weak: dict[str, Any]) -> None:
    about = {"action": "", "outcome": "success"}
    result = outcome_of(*advised("ab", **about, **strong), *advised("cd", **about, **weak))

    conflict, winner, _ = only_conflict(result)
    assert winner.kind == strong["kind"]
    assert conflict.decision == "precedence"


def test_never_x_opposes_x() -> None:
    result = outcome_of(*advised("abc"), *advised("de", kind="repair", action="never ask the user"))

    assert only_conflict(result)[0].decision == "evidence"


def test_the_same_advice_as_another_kind_is_said_once() -> None:
    result = outcome_of(*advised("abc"), *advised("de", kind="repair"))

    conflict, winner, loser = only_conflict(result)
    assert conflict.decision == "covered"
    assert (winner.kind, loser.placement) == ("preserve", "candidate")


def test_both_stand_under_a_condition_when_a_recorded_circumstance_tells_them_apart() -> None:
    result = outcome_of(
        *advised("ab", facts={"agent": "small"}), *advised("cde", negated=True, facts={"agent": "large"})
    )

    conflict, winner, loser = only_conflict(result)
    assert (conflict.decision, conflict.reason) == ("split", "agent is `large` / agent is `small`")
    assert winner.placement == loser.placement == "skill"
    assert winner.text.detail.startswith("Applies when agent is `large`.")
    assert loser.text.detail.startswith("Applies when agent is `small`.")


def test_a_circumstance_that_overlaps_or_is_not_always_recorded_splits_nothing() -> None:
    overlapping = outcome_of(
        *advised("ab", facts={"agent": "x"}),
        *advised("cd", negated=True, facts={"agent": "x"}),
        *advised("e", negated=True, facts={"agent": "y"}),
    )
    incomplete = outcome_of(
        *advised("a", facts={"agent": "x"}),
        *advised("b"),
        *advised("cde", negated=True, facts={"agent": "y"}),
    )

    assert only_conflict(overlapping)[0].decision == "evidence"
    assert only_conflict(incomplete)[0].decision == "evidence"


def test_different_situations_do_not_conflict() -> None:
    assert not outcome_of(*advised("ab"), *advised("cd", negated=True, trigger="cancelling")).conflicts
    assert not outcome_of(*advised("ab"), *advised("cd", negated=True, tool="cancel")).conflicts
    assert not outcome_of(*advised("ab"), *advised("cd", negated=True, pattern="order")).conflicts


def test_mending_a_thing_does_not_contradict_dropping_it() -> None:
    about = {"action": "", "outcome": "success"}

    result = outcome_of(
        *advised("ab", kind="repair", **about), *advised("cd", kind="prune", negated=True, **about)
    )

    assert not result.conflicts


def test_two_candidates_are_not_decided_before_one_matters() -> None:
    assert not outcome_of(*advised("a"), *advised("b", negated=True)).conflicts
