"""A person's edits survive: laws of the three-way merge and the cases it is there for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.skills.assembly import Sealed, seal
from t2s_pipeline.skills.document import Document, split_lines
from t2s_pipeline.skills.merge import Merged, State, merge_hand_edits
from t2s_pipeline.skills.tree import LINEAGE_FILE, SKILL_FILE, FileBody, SkillTree, without_version
from t2s_pipeline.skills.writer import create_skill
from t2s_pipeline_tests.skills.builders import airline, learnt

SKILL = "airline-service-desk"
CALM = [HealthCheck.too_slow, HealthCheck.data_too_large]


def written_by_pipeline(clusters: Sequence[Cluster]) -> tuple[State, Sealed]:
    known = learnt(SKILL, clusters)
    generated = create_skill(known)
    return State(generated.files, generated.written), seal(known, generated)


def merged(disk: SkillTree, old: Sequence[Cluster], new: Sequence[Cluster]) -> Merged:
    _, before = written_by_pipeline(old)
    state, _ = written_by_pipeline(new)
    by_id = {cluster.cluster_id: cluster for cluster in new}
    return merge_hand_edits(
        State.of(before.files, before.lineage), before.lineage, disk, state, by_id, min_tasks=2
    )


def page(files: SkillTree) -> str:
    return without_version(SKILL_FILE, files[SKILL_FILE].data).decode()


def edited(files: SkillTree, before: str, after: str) -> dict[str, FileBody]:
    """The directory with one piece of SKILL.md replaced, as a person would."""
    text = files[SKILL_FILE].data.decode()
    assert text.count(before) == 1
    return {**files, SKILL_FILE: FileBody(text.replace(before, after).encode())}


def grown(clusters: Sequence[Cluster], tasks: int) -> list[Cluster]:
    """The same clusters with more tasks and runs behind each."""
    return [
        cluster.model_copy(
            update={
                "support": cluster.support.model_copy(
                    update={"tasks": cluster.support.tasks + tasks, "traces": cluster.support.traces + tasks}
                )
            }
        )
        for cluster in clusters
    ]


POOL = airline()[:-1]
SUBSETS = st.lists(st.sampled_from(range(len(POOL))), unique=True).map(
    lambda numbers: [POOL[number] for number in sorted(numbers)]
)
HAND_LINES = st.sampled_from(
    [
        "- My own rule",
        "A note of mine.",
        "",
        "## My section",
        "```",
        "| a | b |",
        "Ещё одно",
        "- **x** *(y)*",
        "    ",
    ]
)


@st.composite
def disks(draw: st.DrawFn, files: SkillTree) -> dict[str, FileBody]:
    """A directory after a person went over it: lines deleted, rewritten, added, moved, files removed."""
    disk = {path: body for path, body in files.items() if path != LINEAGE_FILE}
    for path in sorted(disk):
        if not path.endswith(".md"):
            continue
        document = Document.parse(disk[path].data)
        lines = list(document.lines)
        first = document.body_start
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(first, max(first, len(lines) - 1)))
            match draw(st.sampled_from(["add", "delete", "rewrite", "move", "unwrap"])):
                case "add":
                    lines.insert(at, draw(HAND_LINES) + document.newline)
                case "delete" if at < len(lines):
                    del lines[at]
                case "rewrite" if at < len(lines):
                    lines[at] = lines[at].replace("the", "every").replace("a ", "one ")
                case "move" if at < len(lines):
                    lines.insert(draw(st.integers(first, len(lines) - 1)), lines.pop(at))
                case "unwrap" if at < len(lines):
                    lines[at] = lines[at].rstrip("\n") + " more words\n"
                case _:
                    pass
        disk[path] = FileBody(document.with_lines(lines).to_bytes())
    return disk


@settings(max_examples=25, deadline=None, suppress_health_check=CALM)
@given(SUBSETS, SUBSETS)
def test_without_hand_edits_the_merge_is_what_the_pipeline_writes(
    old: list[Cluster], new: list[Cluster]
) -> None:
    state, _ = written_by_pipeline(new)
    _, before = written_by_pipeline(old)

    result = merged(before.files, old, new)

    assert result.files == state.files
    assert result.written == state.written
    assert not result.withheld


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=CALM)
@given(SUBSETS, st.data())
def test_without_news_the_merge_is_what_the_person_left(clusters: list[Cluster], data: st.DataObject) -> None:
    _, before = written_by_pipeline(clusters)
    disk = data.draw(disks(before.files))

    result = merged(disk, clusters, clusters)

    assert {path: without_version(path, body.data) for path, body in result.files.items()} == {
        path: without_version(path, body.data) for path, body in disk.items()
    }


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=CALM)
@given(SUBSETS, SUBSETS, st.data())
def test_no_line_a_person_added_is_ever_lost(
    old: list[Cluster], new: list[Cluster], data: st.DataObject
) -> None:
    _, before = written_by_pipeline(old)
    disk = data.draw(disks(before.files))
    ours = {line.strip() for body in before.files.values() for line in split_lines(body.data.decode())}

    result = merged(disk, old, new)

    for path, body in disk.items():
        kept = (
            {line.strip() for line in split_lines(result.files[path].data.decode())}
            if path in result.files
            else set()
        )
        added = {line.strip() for line in split_lines(body.data.decode())} - ours
        assert added <= kept


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=CALM)
@given(SUBSETS, SUBSETS, st.data())
def test_every_rule_is_on_a_line_or_withheld(
    old: list[Cluster], new: list[Cluster], data: st.DataObject
) -> None:
    """No rule is lost silently, whatever a person did: it is written, theirs, or known to be deleted."""
    _, before = written_by_pipeline(old)
    state, _ = written_by_pipeline(new)
    disk = data.draw(disks(before.files))

    result = merged(disk, old, new)

    for rule in result.written:
        assert rule.text in [
            line.rstrip("\r\n") for line in Document.parse(result.files[rule.path].data).lines
        ]
    known = {rule.rule_id for rule in result.written} | {item.rule_id for item in result.withheld}
    assert {rule.rule_id for rule in state.written} <= known


@settings(max_examples=25, deadline=None, suppress_health_check=CALM)
@given(SUBSETS, st.integers(0, 7), st.integers(0, 1))
def test_a_deleted_rule_stays_out_whatever_is_learnt(new: list[Cluster], number: int, more: int) -> None:
    old = POOL
    _, before = written_by_pipeline(old)
    gone = before.lineage.rules[number]
    disk = {
        path: FileBody(body.data.replace(gone.text.encode() + b"\n", b""))
        for path, body in before.files.items()
    }

    result = merged(disk, old, grown(new, more))

    assert gone.rule_id not in {rule.rule_id for rule in result.written}
    assert gone.rule_id in {item.rule_id for item in result.withheld}
    words = gone.text.rsplit("*(", 1)[0]
    assert all(words.encode() not in body.data for path, body in result.files.items() if path != LINEAGE_FILE)


def test_a_rule_a_person_rewrote_is_kept_and_marked() -> None:
    _, before = written_by_pipeline(POOL)
    disk = edited(
        before.files,
        "**Pay with a gift card only what is left on it.**",
        "**Gift cards: check the balance!**",
    )

    result = merged(disk, POOL, grown(POOL, 3))

    mine = next(rule for rule in result.written if "Gift cards: check" in rule.text)
    assert mine.state == "hand_edited"
    assert mine.generated is not None and "11 refusals in 5 tasks" in mine.generated
    assert "Gift cards: check the balance!" in page(result.files)
    assert "Pay with a gift card only" not in page(result.files)


def test_the_rules_a_person_did_not_touch_get_their_new_counts() -> None:
    _, before = written_by_pipeline(POOL)
    disk = edited(
        before.files,
        "**Pay with a gift card only what is left on it.**",
        "**Gift cards: check the balance!**",
    )

    result = merged(disk, POOL, grown(POOL, 3))

    assert "24 refusals in 9 tasks" in page(result.files)


def test_a_note_stays_below_the_rule_it_was_written_under() -> None:
    _, before = written_by_pipeline(POOL)
    rule = next(rule for rule in before.lineage.rules if "After a refusal" in rule.text)
    disk = edited(before.files, rule.text + "\n", rule.text + "\n  - Also true for seat maps.\n")

    result = merged(disk, POOL, grown(POOL, 2))

    lines = page(result.files).splitlines()
    at = lines.index("  - Also true for seat maps.")
    assert lines[at - 1].startswith("- **After a refusal")


def test_a_section_of_a_person_stays_with_its_text() -> None:
    _, before = written_by_pipeline(POOL)
    mine = "## House style\n\nAlways answer in the customer's language.\n\n"
    disk = edited(before.files, "## When a call fails\n", mine + "## When a call fails\n")

    result = merged(disk, POOL, POOL[:3])

    assert mine.strip() in page(result.files)


def test_a_deleted_rule_with_much_more_evidence_is_proposed_and_not_written() -> None:
    _, before = written_by_pipeline(POOL)
    rule = next(rule for rule in before.lineage.rules if "After a refusal" in rule.text)
    disk = edited(before.files, rule.text + "\n", "")

    result = merged(disk, POOL, grown(POOL, 30))

    assert [item.rule_id for item in result.proposals] == [rule.rule_id]
    assert "After a refusal" not in page(result.files)


def test_a_rule_the_person_moved_to_another_section_stays_there() -> None:
    _, before = written_by_pipeline(POOL)
    rule = next(rule for rule in before.lineage.rules if "Do not search one-stop" in rule.text)
    disk = edited(before.files, rule.text + "\n", "")
    disk = edited(disk, "## How to work\n\n", f"## How to work\n\n{rule.text}\n")

    result = merged(disk, POOL, grown(POOL, 2))

    text = page(result.files)
    assert (
        text.index("## How to work") < text.index("Do not search one-stop") < text.index("## What the tools")
    )
    assert "20 searches in 9 tasks" in text


def test_a_person_s_file_and_a_deleted_reference_are_respected() -> None:
    _, before = written_by_pipeline(POOL)
    disk = {path: body for path, body in before.files.items() if path != "references/tools.md"}
    disk["scripts/total.py"] = FileBody(b"print(1)\n", executable=True)

    result = merged(disk, POOL, grown(POOL, 1))

    assert result.files["scripts/total.py"] == disk["scripts/total.py"]
    assert "references/tools.md" not in result.files
    assert "references/tools.md" not in page(result.files)
    assert [item.rule_id for item in result.withheld] == [
        rule.rule_id for rule in before.lineage.rules if rule.path == "references/tools.md"
    ]


def test_a_new_rule_that_a_person_already_wrote_is_confirmed_and_not_added() -> None:
    old = POOL[:-2]
    _, before = written_by_pipeline(old)
    disk = edited(
        before.files,
        "## When a call fails\n\n",
        "## When a call fails\n\n- Do not search one-stop flights when a direct flight already fits!\n",
    )

    result = merged(disk, old, POOL)

    mine = next(rule for rule in result.written if rule.state == "confirmed")
    assert mine.text.endswith("already fits!")
    assert page(result.files).count("one-stop flights") == 1


def test_a_description_a_person_wrote_is_kept_while_ours_changes() -> None:
    _, before = written_by_pipeline(POOL[:3])
    text = before.files[SKILL_FILE].data.decode()
    line = next(line for line in text.splitlines() if line.startswith("description:"))
    disk = edited(before.files, line, "description: My words.")

    result = merged(disk, POOL[:3], POOL)

    assert "description: My words.\n" in page(result.files)
    assert 'runs: "200"' in page(result.files)
