"""What the sensors ask for, decided from values; `test_sensor_ticks` has them on a real instance."""

from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.assets.partitions import keys_of_run, range_tags
from t2s_pipeline.assets.sensors import (
    MAX_ATTEMPTS,
    MAX_NEW_PARTITIONS,
    Attempts,
    consolidations_to_request,
    overdue,
    plan_requests,
    remembered,
)
from t2s_pipeline.outstanding import SkillInputs
from t2s_pipeline.traces.inbox import Batch


def batch(key: str, outcomes: str = "") -> Batch:
    return Batch(key=key, skill=key.partition(".")[0], slices=(), traces=1, outcomes=outcomes)


def test_new_batches_of_a_skill_become_one_run() -> None:
    plan = plan_requests([batch("a.1"), batch("a.2"), batch("b.1")], [], set(), Attempts())

    assert [one.key for one in plan.new] == ["a.1", "a.2", "b.1"]
    assert plan.ranges == [["a.1", "a.2"], ["b.1"]]


def test_a_batch_that_a_run_is_working_on_is_not_asked_for_again() -> None:
    plan = plan_requests([batch("a.1"), batch("a.2")], ["a.1", "a.2"], {"a.1"}, Attempts())

    assert plan.ranges == [["a.2"]]
    assert plan.new == []


def test_a_batch_whose_run_was_killed_is_asked_for_again() -> None:
    first = plan_requests([batch("a.1")], [], set(), Attempts())
    second = plan_requests([batch("a.1")], ["a.1"], set(), first.cursor)

    assert first.ranges == second.ranges == [["a.1"]]


def test_a_batch_that_was_tried_before_gets_a_run_of_its_own() -> None:
    """One bad batch must not keep the others of its range from ever being finished."""
    batches = [batch("a.1"), batch("a.2"), batch("a.3")]
    first = plan_requests(batches, [], set(), Attempts())

    second = plan_requests(batches, ["a.1", "a.2", "a.3"], set(), first.cursor)

    assert first.ranges == [["a.1", "a.2", "a.3"]]
    assert second.ranges == [["a.1"], ["a.2"], ["a.3"]]


def worn_out(*batches: Batch) -> Attempts:
    """The cursor after these batches failed as often as they may."""
    cursor = Attempts()
    for _ in range(MAX_ATTEMPTS):
        cursor = plan_requests(batches, [one.key for one in batches], set(), cursor).cursor
    return cursor


def test_a_batch_that_always_fails_is_given_up_after_a_few_attempts() -> None:
    cursor = Attempts()
    asked = []
    for _ in range(MAX_ATTEMPTS + 3):
        plan = plan_requests([batch("a.1")], ["a.1"], set(), cursor)
        asked.append(len(plan.ranges))
        cursor = plan.cursor

    assert asked == [1] * MAX_ATTEMPTS + [0] * 3
    assert plan.given_up == ["a.1"]


def test_a_batch_that_was_finished_and_is_new_again_starts_counting_from_zero() -> None:
    finished = plan_requests([], ["a.1"], set(), worn_out(batch("a.1")))

    plan = plan_requests([batch("a.1")], ["a.1"], set(), finished.cursor)

    assert plan.ranges == [["a.1"]]


def test_a_batch_that_was_given_up_is_tried_again_with_other_outcomes() -> None:
    cursor = worn_out(batch("a.1", "first"))

    plan = plan_requests([batch("a.1", "second")], ["a.1"], set(), cursor)

    assert (plan.ranges, plan.given_up) == ([["a.1"]], [])


def test_a_cursor_of_another_version_counts_as_none() -> None:
    assert remembered('{"attempts": "many"}') == remembered(None) == Attempts()


def test_a_huge_landing_is_registered_over_several_ticks() -> None:
    batches = [batch(f"a.{number:05d}") for number in range(MAX_NEW_PARTITIONS + 10)]

    first = plan_requests(batches, [], set(), Attempts())
    registered = [one.key for one in first.new]
    second = plan_requests(batches, registered, set(registered), first.cursor)

    assert len(first.new) == MAX_NEW_PARTITIONS
    assert [one.key for one in second.new] == [one.key for one in batches[MAX_NEW_PARTITIONS:]]


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_every_idle_unfinished_batch_is_in_exactly_one_run(unfinished: set[int], busy: set[int]) -> None:
    """Law: the runs asked for cover the unfinished batches that no run is working on, each once."""
    registered = [f"a.{number}" for number in range(10)]
    wanted = [batch(f"a.{number}") for number in sorted(unfinished)]

    plan = plan_requests(wanted, registered, {f"a.{number}" for number in busy}, Attempts())

    covered = [key for keys in plan.ranges for key in keys_of_run(range_tags(keys), registered)]
    assert sorted(covered) == [f"a.{number}" for number in sorted(unfinished - busy)]


def test_every_skill_that_is_behind_gets_a_consolidation_unless_one_is_waiting() -> None:
    behind = [SkillInputs("a", "1"), SkillInputs("b", "1")]

    requests = consolidations_to_request(behind, {"b"}, "event")

    assert [(request.partition_key, request.run_key) for request in requests] == [("a", "a@event")]


def test_a_skill_that_stays_behind_in_the_same_way_gets_a_consolidation() -> None:
    before = [SkillInputs("a", "1"), SkillInputs("b", "1"), SkillInputs("c", "1")]
    cursor = overdue(before, set(), "", Attempts()).cursor

    now = [SkillInputs("a", "1"), SkillInputs("b", "2"), SkillInputs("c", "1"), SkillInputs("d", "1")]
    plan = overdue(now, {"c"}, "", cursor)

    # b changed since, c is being worked on, d was up to date a tick ago.
    assert plan.skills == ["a"]


def test_a_skill_whose_consolidation_always_fails_is_given_up_until_its_gates_change() -> None:
    """What keeps a rule from being disclosed is no input of the skill: its digest stays."""
    behind = [SkillInputs("a", "1")]
    cursor = overdue(behind, set(), "closed", Attempts()).cursor
    asked = []
    for _ in range(MAX_ATTEMPTS + 2):
        plan = overdue(behind, set(), "closed", cursor)
        asked.append(plan.skills)
        cursor = plan.cursor

    seen = overdue(behind, set(), "open", cursor)
    mended = overdue(behind, set(), "open", seen.cursor)

    assert asked == [["a"]] * MAX_ATTEMPTS + [[], []]
    assert plan.given_up == ["a"]
    assert (seen.skills, mended.skills) == ([], ["a"])
