"""What the UI shows of a result."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from t2s_pipeline.assets.metadata import directory_metadata, traces_metadata
from t2s_pipeline.pipeline import pipeline_at
from t2s_pipeline.traces.batch_content import IngestReport
from t2s_pipeline_tests.assets.builders import pipeline_in
from t2s_pipeline_tests.skills.builders import Room, airline

SKILL = "airline-service-desk"


def values(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    """What stands in the UI, tables as rows."""
    return {
        name: [record.data for record in value.records]
        if isinstance(value, dg.TableMetadataValue)
        else value.value
        for name, value in metadata.items()
    }


def test_what_a_person_changed_in_a_skill_is_shown_with_it(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn(SKILL, airline())
    room.publish(SKILL)
    page = room.skill(SKILL) / "SKILL.md"
    deleted = next(line for line in page.read_text().splitlines() if "one-stop" in line)
    text = page.read_text().replace(deleted + "\n", "")
    page.write_text(
        text.replace("**Pay with a gift card only what is left on it.**", "**Check the balance.**")
    )

    report = room.publish(SKILL).model_copy(update={"proposals": ("Do not search one-stop flights.",)})
    shown = values(directory_metadata(pipeline_at(room.settings), report))

    assert (shown["edited by hand"], shown["withheld"]) == (1, 1)
    assert shown["for a person to decide on"] == [{"deleted rule": "Do not search one-stop flights."}]


def test_warnings_and_replaced_traces_of_a_batch_are_shown(tmp_path: Path) -> None:
    counts = {"odd key": 2, "call without result": 5}
    report = IngestReport(
        batch="s.1", skill="s", traces=7, duplicates=0, quarantined=0, replaced=3, warnings=counts
    )

    shown = values(traces_metadata(pipeline_in(tmp_path), {"s.1": report})["s.1"])

    assert shown["replaced"] == 3
    assert shown["warnings"] == [
        {"warning": "call without result", "traces": 5},
        {"warning": "odd key", "traces": 2},
    ]
