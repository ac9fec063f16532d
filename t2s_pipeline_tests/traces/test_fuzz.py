"""Ten thousand damaged files of every format: no crash, no hang, nothing lost."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from t2s_pipeline_tests.traces.format_samples import SAMPLES
from t2s_pipeline_tests.traces.samples import read

INPUTS = 10_000
LONGEST_S = 1.0
PIECES = (
    b"\n",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\",
    b"null",
    b"0",
    b"-1",
    b"\xff",
    b"\x00",
    b"1e999",
    b'"\\ud800"',
)


def damaged(raw: bytes, other: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(raw) + 1)
        to = min(len(raw), at + dice.randrange(1, 200))
        how = dice.randrange(6)
        if how == 0:
            raw = raw[:at]
        elif how == 1:
            raw = raw[:at] + raw[to:]
        elif how == 2:
            raw = raw[:at] + dice.choice(PIECES) + raw[at:]
        elif how == 3:
            raw = raw[:at] + dice.choice(PIECES) + raw[to:]
        elif how == 4:
            raw = raw[:to] + raw[at:]
        else:
            start = dice.randrange(len(other))
            raw = raw[:at] + other[start : start + 200] + raw[at:]
    return raw


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_read_or_explained(tmp_path: Path) -> None:
    dice = random.Random(20_260_301)
    made = {name: maker(tmp_path / name) for name, maker in SAMPLES.items()}
    raws = {name: path.read_bytes() for name, path in made.items()}
    names = sorted(made)
    slowest = 0.0

    for number in range(INPUTS):
        name = names[number % len(names)]
        path = made[name]
        path.write_bytes(damaged(raws[name], raws[dice.choice(names)], dice))
        started = time.process_time()
        traces, quarantined = read(path)
        slowest = max(slowest, time.process_time() - started)
        assert traces or quarantined
        assert all(one.reason for one in quarantined)

    assert slowest < LONGEST_S
