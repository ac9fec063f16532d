"""Evidence that does not hold is refused."""

from __future__ import annotations

import pytest

from t2s_pipeline.analysts.grounding import grounded
from t2s_pipeline.analysts.lesson import Evidence, Lesson, Signature
from t2s_pipeline_tests.builders import numbered, sql, user

STEPS = {step["step_id"]: step for step in numbered([user("count them"), sql("SELECT 1", "[(1,)]")])}


def lesson(*evidence):
    return Lesson(
        skill="skill",
        kind="repair",
        engine="statistical",
        analyst="repair",
        trace_id="t-1",
        when="w",
        do="d",
        because="b",
        section="tools",
        signature=Signature(pattern="refusal"),
        evidence=tuple(Evidence(trace_id="t-1", first_step=a, last_step=b, quote=q) for a, b, q in evidence),
    )


def check(item):
    return grounded([item], lambda _, step_id: STEPS.get(step_id))


@pytest.mark.parametrize("quote", ["count them", "SELECT 1", "[(1,)]", "them"])
def test_a_quote_from_message_arguments_or_result_holds(quote):
    kept, refused = check(lesson((1, 2, quote)))

    assert (len(kept), refused) == (1, [])


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ((), "no evidence"),
        (((2, 2, "SELECT 2"),), "the quote is not in steps 2 to 2"),
        (((1, 1, "SELECT 1"),), "the quote is not in steps 1 to 1"),
        (((1, 3, "SELECT 1"),), "t-1 has no step 3"),
        (((2, 1, "SELECT 1"),), "steps 2 to 1 run backwards"),
        (((2, 2, "  "),), "an empty quote"),
        (((2, 2, "SELECT 1"), (2, 2, "made up")), "the quote is not in steps 2 to 2"),
    ],
)
def test_a_quote_that_is_not_in_the_steps_is_refused(evidence, reason):
    kept, refused = check(lesson(*evidence))

    assert kept == []
    assert refused[0].reason == reason
