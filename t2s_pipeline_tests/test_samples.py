"""The traces that ship: made by their script, of the promised mix, and learnt from as planted."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from t2s_pipeline.analysts.analyse import analyse_batches, analyse_skill
from t2s_pipeline.analysts.statistical.phrasing import StatisticalMerger
from t2s_pipeline.consolidation.consolidate import consolidate_skill
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.skills.publish import publish_skill
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.inbox import plan_batches
from t2s_pipeline.traces.ingest import ingest_batches
from t2s_pipeline.traces.reading import read_file
from t2s_pipeline.traces.record import Quarantined, TraceRecord
from t2s_pipeline_tests.samples import spreadsheet_editing, sql_analytics
from t2s_pipeline_tests.samples.make_samples import ROOT, sample_files
from t2s_pipeline_tests.samples.planted import MADE_WITH, PLANTED, Planted, contradictions, covers
from t2s_pipeline_tests.samples.spreadsheet_editing.desk import Desk
from t2s_pipeline_tests.samples.spreadsheet_editing.task import passes
from t2s_pipeline_tests.samples.sql_analytics.task import matches
from t2s_pipeline_tests.samples.sql_analytics.tools import Database
from t2s_pipeline_tests.samples.sql_analytics.warehouse import warehouse

INBOX = ROOT / "data" / "inbox"
SKILLS = tuple(PLANTED)
NOW = datetime(2026, 1, 5, tzinfo=UTC)


@cache
def records() -> Mapping[str, tuple[TraceRecord | Quarantined, ...]]:
    """What the importers make of every sample file, by skill."""
    settings, found = Settings(), defaultdict[str, list[TraceRecord | Quarantined]](list)
    for path in sorted(INBOX.glob("*/*")):
        found[path.parent.name] += read_file(
            path, skill=path.parent.name, uri=str(path.relative_to(ROOT)), settings=settings
        )
    return {skill: tuple(read) for skill, read in found.items()}


def traces(skill: str) -> list[TraceRecord]:
    return [record for record in records()[skill] if isinstance(record, TraceRecord)]


@pytest.mark.slow
def test_the_script_writes_exactly_the_committed_files() -> None:
    installed = {package: version(package) for package in MADE_WITH}
    if installed != MADE_WITH:
        pytest.skip(f"the tools word their answers differently in {installed}; made with {MADE_WITH}")

    written = sample_files()

    committed = {name: (ROOT / name).read_text(encoding="utf-8") for name in written}
    differing = [name for name, content in written.items() if committed[name] != content]
    assert differing == []
    shipped = {str(path.relative_to(ROOT)) for path in INBOX.rglob("*") if path.is_file()}
    assert shipped == {name for name in written if name.startswith("data/inbox/")}


def test_every_sample_file_is_read_without_loss() -> None:
    refused = [record for found in records().values() for record in found if isinstance(record, Quarantined)]

    assert refused == []
    assert set(records()) == set(SKILLS)


def test_the_samples_are_in_three_formats_two_per_skill() -> None:
    by_skill = {skill: {trace.source.format for trace in traces(skill)} for skill in SKILLS}

    assert set.union(*by_skill.values()) == {"openai_chat", "tau_bench", "intercode"}
    assert all(len(formats) == 2 for formats in by_skill.values())


@pytest.mark.parametrize("skill", SKILLS)
def test_most_tasks_were_tried_several_times_with_both_outcomes(skill: str) -> None:
    outcomes: dict[str | None, list[str]] = defaultdict(list)
    for trace in traces(skill):
        outcomes[trace.task_id].append(trace.outcome.status)

    assert None not in outcomes
    assert len(outcomes) >= 20
    assert min(map(len, outcomes.values())) >= 4
    both = [task for task, seen in outcomes.items() if set(seen) == {"success", "failure"}]
    assert len(both) >= 0.8 * len(outcomes)


def test_the_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in INBOX.rglob("*")) < 3_000_000


def test_no_sample_names_a_path_or_an_address_in_memory() -> None:
    for path in INBOX.glob("*/*"):
        text = path.read_text(encoding="utf-8")

        assert not [word for word in ("/home/", "/tmp/", "/usr/", "site-packages", " at 0x") if word in text]


def test_every_right_query_gives_the_answer_computed_in_python() -> None:
    database, rows = Database(), warehouse()

    for task in sql_analytics.TASKS:
        for query in task.right:
            live = query.replace("{live}", " AND o.status <> 'cancelled'")
            live = live.replace("{where_live}", " WHERE o.status <> 'cancelled'")
            reply = database.call(
                "run_sql", {"query": live.replace("<<", "CAST(").replace(">>", " AS DATE)")}
            )

            assert matches(task, rows, reply.cell), (task.task_id, reply.text)


def test_an_untouched_workbook_passes_no_job(tmp_path: Path) -> None:
    for task in spreadsheet_editing.TASKS:
        desk = Desk(tmp_path, task.original())

        assert not passes(task, desk.path), task.task_id


def test_a_workbook_saved_from_values_does_not_pass(tmp_path: Path) -> None:
    task = next(task for task in spreadsheet_editing.TASKS if task.task_id == "xl-01")
    answer = next(iter(task.expected().values()))
    code = "from openpyxl import load_workbook\nwb = load_workbook('book.xlsx'{})\n" + (
        f"wb['Overview']['C4'] = {answer!r}\nwb.save('book.xlsx')\n"
    )

    verdicts = []
    for how in ("", ", data_only=True"):
        desk = Desk(tmp_path, task.original())
        desk.call("run_python", {"code": code.format(how)})
        verdicts.append(passes(task, desk.path))

    assert verdicts == [True, False]


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """Skill → texts of its published rules, learnt from a copy of the samples."""
    root = tmp_path_factory.mktemp("samples") / "data"
    shutil.copytree(INBOX, root / "inbox")
    shutil.copytree(ROOT / "data" / "base", root / "base")
    paths, settings = DataPaths(root), Settings(data=root)
    store = Store(paths)
    batches = plan_batches(paths, settings)
    ingest_batches(store, paths, settings, batches)
    analyse_batches(store, settings, [batch.key for batch in batches])
    rules: dict[str, list[str]] = {}
    for skill in SKILLS:
        analyse_skill(store, settings, skill)
        consolidate_skill(store, settings, skill, StatisticalMerger())
        publish_skill(store, paths, settings, skill, now=NOW)
        found = store.query("SELECT text FROM rules WHERE skill = ? ORDER BY path, first_line", [skill])
        rules[skill] = found["text"].to_list()
    return rules


@pytest.mark.slow
@pytest.mark.parametrize(
    ("skill", "entry"),
    [
        pytest.param(skill, entry, id=f"{skill}-{entry.id}")
        for skill, entries in PLANTED.items()
        for entry in entries
    ],
)
def test_the_mined_skill_teaches_what_was_planted(
    mined: Mapping[str, list[str]], skill: str, entry: Planted
) -> None:
    rules = mined[skill]

    assert contradictions(entry, rules) == []
    if entry.kind != "confounder":
        assert [rule for rule in rules if covers(entry, rule)], f"no rule says: {entry.description}"


def test_the_side_file_says_what_the_script_planted() -> None:
    side_file = ROOT / "t2s_pipeline_tests" / "samples" / "planted.json"

    listed = json.loads(side_file.read_text(encoding="utf-8"))

    assert {skill: [entry["id"] for entry in entries] for skill, entries in listed.items()} == {
        skill: [entry.id for entry in entries] for skill, entries in PLANTED.items()
    }
