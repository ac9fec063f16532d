from collections.abc import Callable
from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.findings import findings_of
from t2s_pipeline_tests.consolidation.builders import by_id, exact, lesson, some_lessons, worded

LONG = "payment amount does not add up for this reservation"


def groups(*lessons: Lesson) -> list[set[str]]:
    return [set(finding.lesson_ids) for finding in findings_of(exact(*lessons)).found]


def test_lessons_with_equal_signatures_are_one_finding() -> None:
    one, other = lesson(1, do="Add it up."), lesson(2, do="Compute the sum.")

    assert groups(one, other) == [{one.lesson_id, other.lesson_id}]


def test_two_templates_of_one_message_are_one_finding_named_after_the_commoner() -> None:
    lessons = [lesson(1, trigger=LONG), lesson(2, trigger=LONG), lesson(3)]

    (finding,) = findings_of(exact(*lessons)).found

    assert len(finding.lesson_ids) == 3
    assert finding.signature.trigger == LONG


def test_an_exchanged_word_or_an_added_negation_keeps_findings_apart() -> None:
    shown = "the requested flight is available on this date for you"

    assert len(groups(lesson(1, trigger=shown), lesson(2, trigger=shown.replace("flight", "seat")))) == 2
    assert len(groups(lesson(1, trigger=shown), lesson(2, trigger=shown.replace("is", "is not")))) == 2


def test_each_structured_field_keeps_findings_apart() -> None:
    base = lesson(1)
    changed: list[Callable[[], Lesson]] = [
        lambda: lesson(2, kind="prune"),
        lambda: lesson(2, tool="cancel"),
        lambda: lesson(2, pattern="repeat"),
        lambda: lesson(2, action="ask the user"),
        lambda: lesson(2, negated=True),
    ]

    assert all(len(groups(base, other())) == 2 for other in changed)


def test_findings_that_differ_in_direction_or_kind_only_are_told_apart_and_named() -> None:
    base = lesson(1, pattern="habit", action="ask the user")
    against = lesson(2, pattern="habit", action="ask the user", negated=True)
    other_kind = lesson(3, pattern="habit", action="ask the user", kind="preserve")
    elsewhere = lesson(4, pattern="habit", action="ask the user", kind="preserve", tool="cancel")

    findings = findings_of(exact(base, against, other_kind, elsewhere))

    named = {frozenset(pair) for pair in findings.across}
    ids = [one.lesson_id for one in (base, against, other_kind)]
    assert named == {frozenset(pair) for pair in combinations(ids, 2)}
    assert len(findings.found) == 4


def test_a_chain_of_small_differences_does_not_join_its_ends() -> None:
    middle = "alpha beta gamma delta epsilon"
    left, right = "alpha beta gamma delta", "beta gamma delta epsilon"

    found = groups(lesson(1, trigger=left), lesson(2, trigger=middle), lesson(3, trigger=right))

    assert sorted(map(len, found)) == [1, 2]


def test_triggers_made_by_code_are_compared_exactly() -> None:
    assert len(groups(lesson(1, pattern="habit", trigger=LONG), lesson(2, pattern="habit"))) == 2


def test_the_label_a_model_gives_a_finding_does_not_keep_it_apart() -> None:
    one = worded(1, pattern="wrong total", action="compute total")
    other = worded(2, pattern="payment error", action="compute the total")

    assert len(groups(one, other)) == 1


@given(some_lessons, st.randoms())
def test_findings_do_not_depend_on_order(lessons: list[Lesson], random: Random) -> None:
    shuffled = list(lessons)
    random.shuffle(shuffled)

    assert findings_of(exact(*lessons)) == findings_of(exact(*shuffled))


@given(some_lessons)
def test_every_lesson_is_in_exactly_one_finding(lessons: list[Lesson]) -> None:
    known = by_id(*lessons)

    placed = [
        lesson_id for finding in findings_of(exact(*known.values())).found for lesson_id in finding.lesson_ids
    ]

    assert sorted(placed) == sorted(known)
