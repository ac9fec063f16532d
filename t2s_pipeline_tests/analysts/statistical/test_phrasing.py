"""The words of clusters that code, a model, or both have taught."""

from __future__ import annotations

from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.analysts.statistical.repairs import mine_repairs
from t2s_pipeline_tests.builders import run_of, sql
from t2s_pipeline_tests.consolidation.builders import worded

MERGER = StatisticalMerger()


def counted(task):
    run = run_of(
        sql("SELECT amount FROM sales", 'Binder Error: column "amount" not found', failed=True),
        sql("DESCRIBE sales", "total BIGINT"),
        sql("SELECT total FROM sales", "[(7,)]"),
        task_id=task,
    )
    return mine_repairs(run)


def test_what_only_a_model_has_taught_is_said_in_the_words_of_its_most_typical_lesson():
    said = [worded(number, pattern="error", do="Add up the fares first.") for number in (1, 2)]
    other = worded(3, pattern="error", do="Have a look at everything else there is.")

    text = MERGER.merge([*said, other])

    assert text is not None
    assert "Add up the fares first." in text.headline


def test_where_code_has_counted_too_the_template_speaks():
    lessons = [*counted("one"), *counted("two")]

    assert MERGER.merge([worded(1, pattern="error"), *lessons]) == MERGER.merge(lessons)


def test_a_template_that_says_nothing_leaves_the_word_to_the_model():
    (silent,) = counted("one")
    vague = silent.model_copy(
        update={"facts": {**silent.facts, "fixed": False, "shown": "Error", "raw": "Error"}}
    )

    text = MERGER.merge([vague, worded(1, do="Add up the fares first.")])

    assert MERGER.merge([vague]) is None
    assert text is not None
    assert "Add up the fares first." in text.headline
