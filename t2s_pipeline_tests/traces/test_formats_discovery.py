"""The set of formats: found by being in the folder, told apart by content."""

from __future__ import annotations

import pkgutil
import shutil
from pathlib import Path

import pytest

from t2s_pipeline.commands.inspecting import list_formats
from t2s_pipeline.traces import formats
from t2s_pipeline.traces.format import DRIFT
from t2s_pipeline.traces.formats import all_formats
from t2s_pipeline_tests.traces.format_samples import SAMPLES
from t2s_pipeline_tests.traces.formats_table import README, formats_table, table_in
from t2s_pipeline_tests.traces.samples import read


def test_every_module_in_the_folder_is_a_format_under_its_own_name() -> None:
    modules = {found.name for found in pkgutil.iter_modules(formats.__path__)}

    assert {one.name for one in all_formats()} == modules == set(SAMPLES)
    assert all(entry.title and entry.summary for entry in list_formats().formats)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_sample_is_read_whole_by_its_own_format(tmp_path: Path, name: str) -> None:
    traces, quarantined = read(SAMPLES[name](tmp_path))

    assert quarantined == []
    assert {trace.source.format for trace in traces} == {name}
    assert not [warning for trace in traces for warning in trace.source.warnings if warning.startswith(DRIFT)]


@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize("other_name", ["data.json", "data.jsonl", "trace", "gpt-4o-airline.json"])
def test_the_name_of_a_file_does_not_decide_its_format(tmp_path: Path, name: str, other_name: str) -> None:
    renamed = tmp_path / "renamed" / other_name
    renamed.parent.mkdir()
    shutil.copy(SAMPLES[name](tmp_path), renamed)

    traces, quarantined = read(renamed)

    assert quarantined == []
    assert {trace.source.format for trace in traces} == {name}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_no_sample_lets_a_benchmark_answer_through(tmp_path: Path, name: str) -> None:
    traces, _ = read(SAMPLES[name](tmp_path))

    assert all("gold-" not in trace.model_dump_json() for trace in traces)


def test_the_table_has_a_row_for_every_format() -> None:
    table = formats_table()

    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(all_formats())
    assert all(row.split("|")[2].strip() == row.split("|")[3].strip() == "✓" for row in rows)


def test_the_table_in_the_readme_is_what_the_importers_recover_from_the_samples() -> None:
    """`python -m t2s_pipeline_tests.traces.formats_table` brings it up to date."""
    assert table_in(README.read_text(encoding="utf-8")) == formats_table()
