from __future__ import annotations

import errno
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from t2s_pipeline.traces.redact import Redactor, rescan
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.fingerprints import SALT_BYTES, fingerprints, load_salt
from t2s_pipeline_tests.traces.secret_set import secret_part, secret_samples

CONFIG, SALT = RedactionConfig(), b"s" * SALT_BYTES
PASSWORD = "copper-Window77"


def known_after(text: str) -> frozenset[str]:
    """Fingerprints of what redaction takes out of a text."""
    _, report = Redactor(CONFIG, SALT).redact_text(text)
    return frozenset(value.fingerprint for value in report.values)


def test_a_redacted_value_is_found_again_in_a_skill() -> None:
    known = known_after(f"password={PASSWORD}")
    skill = f"# Login\n\nUse the account of the team.\n\nType ({PASSWORD}), then press enter.\n"

    hits = rescan(skill, known, CONFIG, SALT)

    assert [(hit.line, hit.known) for hit in hits] == [(5, True)]
    assert PASSWORD not in repr(hits)


@pytest.mark.parametrize("frame", ["x{}y", "'{}'", "`{}`.", "a={};", "[{}](u)", "**{}**", "{}"])
def test_marks_around_a_known_value_do_not_hide_it(frame: str) -> None:
    known = known_after(f'{{"password": "{PASSWORD}"}}')

    hits = rescan(frame.format(PASSWORD), known, CONFIG, SALT)

    assert bool(hits) == (frame != "x{}y")


def test_every_generated_secret_is_found_again() -> None:
    missed = []
    for sample in secret_samples(seed=8, per_kind=1):
        if sample.encoding != "plain":
            continue
        known = known_after(sample.text)

        hits = rescan(f"Set it to {secret_part(sample)} first.", known, CONFIG, SALT)

        if not hits:
            missed.append(sample.label)
    assert missed == []


def test_a_secret_nobody_saw_before_is_found_by_the_rules() -> None:
    token = next(each for each in secret_samples(seed=1, per_kind=1) if each.label == "npm token").value

    hits = rescan(f"Run this:\n\n    npm login --token {token}\n", frozenset(), CONFIG, SALT)

    assert [(hit.line, hit.kind, hit.known) for hit in hits] == [(3, "npm-access-token", False)]


def test_one_line_of_a_private_key_is_found_again() -> None:
    key = next(each for each in secret_samples(seed=1, per_kind=1) if each.label == "private key").value
    line = key.splitlines()[2]

    hits = rescan(f"It begins with {line}", known_after(key), CONFIG, SALT)

    assert any(hit.known for hit in hits)


def test_a_clean_skill_with_placeholders_has_no_hits() -> None:
    skill = "# Deploy\n\n- Pass `<SECRET:npm-access-token:1>` in `NPM_TOKEN`, mail <PERSONAL:email:2>.\n"

    assert rescan(skill, known_after(f"password={PASSWORD}"), CONFIG, SALT) == []


def test_fingerprints_depend_on_the_salt_and_do_not_contain_the_value() -> None:
    mine, others = fingerprints(PASSWORD.encode(), SALT), fingerprints(PASSWORD.encode(), b"o" * SALT_BYTES)

    assert mine != others
    assert PASSWORD not in json.dumps(mine)
    assert len(mine[0]) == 64


def test_values_too_short_to_look_for_are_not_remembered() -> None:
    assert fingerprints(b"1234", SALT) == ()


def test_the_salt_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "redaction.salt"
    made = load_salt(path, lambda size: b"r" * size)

    again = load_salt(path, lambda size: b"q" * size)

    assert made == again == b"r" * SALT_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_two_that_make_the_salt_at_once_both_get_the_one_that_stays(tmp_path: Path) -> None:
    path = tmp_path / "redaction.salt"
    faster: list[bytes] = []

    def randomness(size: int) -> bytes:
        faster.append(load_salt(path, lambda size: b"q" * size))
        return b"r" * size

    slower = load_salt(path, randomness)

    assert faster == [slower] == [path.read_bytes()] == [b"q" * SALT_BYTES]
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_need_the_first_salt_at_once_get_the_same(tmp_path: Path) -> None:
    threads = 8
    for number in range(20):
        path, together = tmp_path / f"salt-{number}", threading.Barrier(threads)

        def made(thread: int, path: Path = path, together: threading.Barrier = together) -> bytes:
            together.wait()
            return load_salt(path, lambda size: bytes([thread]) * size)

        with ThreadPoolExecutor(threads) as pool:
            assert len(set(pool.map(made, range(threads)))) == 1


def test_a_process_that_dies_while_it_makes_the_salt_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "redaction.salt"

    def full(descriptor: int) -> NoReturn:  # noqa: ARG001 - stands for os.fsync
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="no space"):
        broken.setattr(os, "fsync", full)
        load_salt(path, lambda size: b"q" * size)

    assert load_salt(path, lambda size: b"r" * size) == b"r" * SALT_BYTES


def test_a_file_that_is_no_salt_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "redaction.salt"
    path.write_bytes(b"short")

    with pytest.raises(ValueError, match="not a redaction salt"):
        load_salt(path, lambda size: b"r" * size)
