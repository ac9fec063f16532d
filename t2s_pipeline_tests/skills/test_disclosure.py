"""Nothing that redaction hides gets into a published skill."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.settings import Settings
from t2s_pipeline.skills.disclosure import Disclosure, Secrets, disclosures, lines_of, secrets_of
from t2s_pipeline.skills.history import rollback
from t2s_pipeline.skills.tree import FileBody
from t2s_pipeline.store.frames import frame
from t2s_pipeline.traces.redact import Redactor
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.fingerprints import SALT_BYTES, load_salt
from t2s_pipeline_tests.skills.builders import NOW, Desk, Room, airline, cluster
from t2s_pipeline_tests.traces.secret_set import secret_samples

pytestmark = pytest.mark.slow

PASSWORD = "copper-Window77"
TOKEN = next(each.value for each in secret_samples(seed=1, per_kind=1) if each.label == "npm token")
SALT = b"s" * SALT_BYTES


def tree(**files: str) -> dict[str, FileBody]:
    return {path.replace("_", "."): FileBody(text.encode()) for path, text in files.items()}


def remember(room: Room, value: str, *, skill: str = "another-skill") -> None:
    """Note in the store that a value was redacted from a trace, as ingest does."""
    salt = load_salt(room.paths.salt, lambda size: SALT[:size])
    _, report = Redactor(room.settings.redaction, salt).redact_text(f"password={value}")
    where = {"trace_id": "t-1", "batch": "b1", "skill": skill}
    rows = [{**where, "kind": one.kind, "fingerprint": one.fingerprint} for one in report.values]
    room.store.replace({"batch": "b1"}, {"redactions": frame("redactions", rows)})


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_rule_with_a_redacted_value_stops_publishing_and_leaves_the_directory_as_it_was(
    tmp_path: Path,
) -> None:
    room = Room(tmp_path)
    name = "airline-service-desk"
    room.learn(name, airline())
    room.publish(name)
    before = files_in(room.skill(name)), files_in(room.paths.versions)
    remember(room, PASSWORD)
    room.learn(name, [*airline(), cluster(f"Log in with `{PASSWORD}`", section="workflow", tasks=40)])

    with pytest.raises(SkillInvalid) as refused:
        room.publish(name)

    said = str(refused.value)
    assert "SKILL.md line" in said
    assert "lineage.json line" in said
    assert "a value redacted from a trace" in said
    assert PASSWORD not in said
    assert (files_in(room.skill(name)), files_in(room.paths.versions)) == before


def test_a_quote_with_a_secret_nobody_redacted_is_found_in_the_lineage_by_the_rules(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.learn([cluster("Publish the package", f"`npm publish --token {TOKEN}`.")])

    with pytest.raises(SkillInvalid, match=r"SKILL\.md line \d+ \(npm-access-token\)"):
        desk.publish()

    assert not desk.skill.exists()


def test_a_value_that_becomes_known_later_is_found_although_nothing_else_changed(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn("desk", [cluster(f"Log in with `{PASSWORD}`", skill="desk")])
    room.publish("desk")
    remember(room, PASSWORD)

    with pytest.raises(SkillInvalid, match=r"SKILL\.md line"):
        room.publish("desk")


def test_a_value_the_operator_keeps_may_be_published(tmp_path: Path) -> None:
    room = Room(tmp_path)
    remember(room, PASSWORD)
    room.learn("desk", [cluster(f"Log in with `{PASSWORD}`", skill="desk")])
    room.settings = Settings(data=tmp_path, redaction=RedactionConfig(keep=frozenset({PASSWORD})))

    report = room.publish("desk")

    assert report.changed


def test_without_the_salt_nobody_can_tell_and_nothing_is_published(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.learn("desk", [cluster("Be kind", skill="desk")])
    remember(room, PASSWORD)
    room.paths.salt.unlink()

    with pytest.raises(SkillInvalid, match=r"redaction\.salt is missing"):
        room.publish("desk")

    assert not room.skill("desk").exists()


SUPPORT = "Write to support@northwind-desk.org when nothing helps."


def test_what_a_person_wrote_into_the_base_skill_is_published_as_it_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    base = desk.paths.base / desk.name
    (base / "scripts").mkdir(parents=True)
    (base / "SKILL.md").write_text(
        f"---\nname: {desk.name}\ndescription: Desk.\n---\n\n# Desk\n\n{SUPPORT}\n"
    )
    (base / "scripts" / "mail.sh").write_text("mail support@northwind-desk.org\r\n")

    report = desk.publish()

    assert report.changed
    assert SUPPORT in desk.page


def test_the_same_words_in_a_rule_of_ours_are_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    base = desk.paths.base / desk.name
    base.mkdir(parents=True)
    (base / "SKILL.md").write_text(
        f"---\nname: {desk.name}\ndescription: Desk.\n---\n\n# Desk\n\n{SUPPORT}\n"
    )
    desk.learn([*airline(), cluster("Copy support@northwind-desk.org into every answer")])

    with pytest.raises(SkillInvalid, match=r"\(email\)"):
        desk.publish()


def test_what_a_person_adds_by_hand_stays_through_later_publications(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.publish()
    page = desk.skill / "SKILL.md"
    page.write_text(desk.page + f"\n{SUPPORT}\n")
    desk.learn([*airline(), cluster("Look up the fare class first", tasks=5)])

    first = desk.publish()
    desk.learn([*airline(), cluster("Look up the fare class first", tasks=6)])
    second = desk.publish()

    assert first.changed and second.changed
    assert SUPPORT in desk.page


def test_a_placeholder_that_a_quote_cuts_in_two_is_no_secret() -> None:
    whole = "<SECRET:password-assignment:12>"

    for end in range(1, len(whole)):
        skill = tree(SKILL_md=f"It said `password={whole[:end]}`\n")

        assert disclosures(skill, (), Secrets()) == [], whole[:end]


def test_a_secret_dressed_as_a_cut_placeholder_is_found_when_it_is_known(tmp_path: Path) -> None:
    room = Room(tmp_path)
    remember(room, "hunter2-hunter2")
    room.learn("desk", [cluster("Use password=<SECRET:hunter2-hunter2", skill="desk")])

    with pytest.raises(SkillInvalid, match="a value redacted from a trace"):
        room.publish("desk")


def test_places_are_named_in_reading_order_and_human_lines_are_not_judged() -> None:
    mine = tree(
        SKILL_md=f"a\nb\nmail a@northwind-desk.org\nnpm {TOKEN}\n", references_md="x@northwind-desk.org"
    )
    people = lines_of(tree(base_md="mail a@northwind-desk.org\r\nother"))

    found = disclosures(mine, people, Secrets())

    assert found == [
        Disclosure("SKILL.md", 4, "npm-access-token"),
        Disclosure("references.md", 1, "email"),
    ]


def test_one_cannot_go_back_to_a_version_with_a_value_that_became_known_since(tmp_path: Path) -> None:
    room = Room(tmp_path)
    base = room.paths.base / "desk"
    base.mkdir(parents=True)
    (base / "SKILL.md").write_text(f"---\nname: desk\ndescription: Desk.\n---\n\n# Desk\n\n{SUPPORT}\n")
    harmless = cluster("Be kind", skill="desk")
    made = []
    for said in ([harmless], [harmless, cluster(f"Log in with `{PASSWORD}`", skill="desk")], []):
        room.learn("desk", [*said, cluster("Be quick", skill="desk")])
        made.append(room.publish("desk").version)
    oldest, middle, _ = made
    remember(room, PASSWORD)
    secrets = secrets_of(room.store, room.paths, room.settings)

    with pytest.raises(SkillInvalid, match="a value redacted from a trace"):
        rollback(room.paths, "desk", middle, now=NOW, secrets=secrets)
    back = rollback(room.paths, "desk", oldest, now=NOW, secrets=secrets)

    assert back.version == oldest
    assert SUPPORT in (room.skill("desk") / "SKILL.md").read_text()
