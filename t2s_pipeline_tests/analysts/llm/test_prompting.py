from __future__ import annotations

from importlib import resources
from typing import get_args

import pytest

from t2s_pipeline.analysts.llm.draft import PairDraft, Turn
from t2s_pipeline.analysts.llm.merging import Fate, JudgeReply, MergeReply
from t2s_pipeline.analysts.llm.prompting import PROMPTS_VERSION, example_lesson, prompt, prompts_version
from t2s_pipeline.llm.settings import Reading

READINGS: tuple[Reading, ...] = get_args(Reading)


@pytest.mark.parametrize("analyst", ["error", "success", "contrast", "cost"])
def test_a_prompt_says_its_task_and_what_a_lesson_is(analyst: str) -> None:
    text = prompt(analyst, "lesson").text

    assert text.startswith("# Your task")
    assert "# What a lesson is" in text


def test_each_reading_is_another_prompt_with_another_version() -> None:
    plain = prompt("error", "lesson")

    versions = {prompt("error", "lesson", reading=reading).version for reading in READINGS}

    assert len(versions | {plain.version}) == len(READINGS) + 1


def test_every_field_a_model_is_asked_for_is_explained() -> None:
    fields = {
        "contrast": set(PairDraft.model_fields),
        "agentic": set(Turn.model_fields) - {"first_step", "last_step"},
        "merge": {*MergeReply.model_fields, "use", "reason"} & {*MergeReply.model_fields, *Fate.model_fields},
        "judge": set(JudgeReply.model_fields),
    }
    shared = prompt("contrast", "lesson").text

    for name, wanted in fields.items():
        text = shared if name == "contrast" else prompt(name).text
        missing = [field for field in wanted if f"`{field}`" not in text]
        assert not missing, name


def test_the_example_has_the_form_that_is_asked_for() -> None:
    example = example_lesson()

    assert set(example) <= set(PairDraft.model_fields)
    assert len(example["do"].split()) > 5


def test_the_version_covers_every_prompt_file() -> None:
    folder = resources.files("t2s_pipeline.analysts.llm") / "prompts"
    names = {file.name for file in folder.iterdir() if file.name.endswith(".md")}

    assert names == {f"{n}.md" for n in "error success contrast cost agentic lesson merge judge".split()}
    assert {file.name for file in (folder / "readings").iterdir()} == {
        f"{reading}.md" for reading in READINGS
    }
    assert prompts_version() == PROMPTS_VERSION
