"""How much redaction finds, how often it is wrong, and how fast it is: `python -m …bench_redaction`.

Everything is generated from seeds: the secrets by `secret_set.py`, the ordinary traces here (code, logs,
listings, JSON, commits, ids, digests, prose about tokens and keys). A hit in an ordinary trace is a false
one, since nothing in them is secret or personal.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator

import orjson

from t2s_pipeline.traces.record import TraceRecord
from t2s_pipeline.traces.redact import Redactor
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.screen import screen
from t2s_pipeline_tests.builders import call, record_of, system, user
from t2s_pipeline_tests.traces.secret_set import KINDS, secret_part, secret_samples

_HEX = "0123456789abcdef"
_WORDS = (
    "the file order table cache token key access user session request value index parser module test build"
    " error column page flight account author password reset policy returns string update config server"
    " branch commit merge queue worker schema price total limit handler client"
).split()


def ordinary_traces(seed: int, megabytes: float) -> Iterator[TraceRecord]:
    """Traces with nothing to hide, about so many megabytes of text."""
    rng = random.Random(seed)
    size = 0
    while size < megabytes * 1e6:
        steps = [system(_prose(rng, 120)), user(_prose(rng, 40))]
        steps += [
            call(
                "shell",
                {"command": _command(rng), "timeout": rng.randint(1, 60)},
                _output(rng),
                say=_prose(rng, 25),
            )
            for _ in range(rng.randint(5, 30))
        ]
        record = record_of(*steps, trace_id=f"t-{rng.getrandbits(64):016x}")
        size += len(record.model_dump_json(exclude_none=True))
        yield record


def _prose(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(words)).capitalize() + "."


def _hex(rng: random.Random, size: int) -> str:
    return "".join(rng.choice(_HEX) for _ in range(size))


def _uuid(rng: random.Random) -> str:
    return "-".join(_hex(rng, size) for size in (8, 4, 4, 4, 12))


def _command(rng: random.Random) -> str:
    return rng.choice(
        (
            f"git show {_hex(rng, 40)} --stat",
            f"grep -rn '{rng.choice(_WORDS)}_key' src/ | head -{rng.randint(5, 50)}",
            f"curl -s http://localhost:{rng.randint(2000, 9000)}/{rng.choice(_WORDS)}?id={_uuid(rng)}",
            f"python -m pytest -q tests/test_{rng.choice(_WORDS)}.py -k token",
            f'psql -c "SELECT {rng.choice(_WORDS)}, api_key IS NULL FROM {rng.choice(_WORDS)}s LIMIT 5"',
        )
    )


def _output(rng: random.Random) -> str:
    kinds = (_log, _code, _listing, _json, _commits)
    return "\n".join(rng.choice(kinds)(rng) for _ in range(rng.randint(1, 12)))


def _log(rng: random.Random) -> str:
    return (
        f"2026-03-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:07Z "
        f"INFO request_id={_uuid(rng)} user_id={rng.randint(1, 10**7)} token_count={rng.randint(1, 9000)} "
        f"ip=10.0.{rng.randint(0, 255)}.{rng.randint(0, 255)} took {rng.randint(1, 900)}ms"
    )


def _code(rng: random.Random) -> str:
    name = rng.choice(_WORDS)
    return (
        f"def {name}_handler(self, token: str, api_key: str | None = None) -> {name.title()}Result:\n"
        f'    """{_prose(rng, 10)}"""\n'
        f"    password = os.environ.get('{name.upper()}_PASSWORD', '')\n"
        f'    key = f"{name}:{{token}}:{{self.session.id}}"  # cache key\n'
        f"    return self.client.get(key, secret=settings.secret_key, access='{name}')"
    )


def _listing(rng: random.Random) -> str:
    return "\n".join(
        f"-rw-r--r-- 1 root root {rng.randint(10, 10**6):>8} Mar {rng.randint(1, 28):>2} 10:17 "
        f"{rng.choice(_WORDS)}-{_hex(rng, 8)}.{rng.choice(('js', 'py', 'json', 'key', 'map'))}"
        for _ in range(rng.randint(3, 10))
    )


def _json(rng: random.Random) -> str:
    body = {
        "id": f"call_{_hex(rng, 24)}",
        "sha256": _hex(rng, 64),
        "next_page_token": _uuid(rng),
        "primary_key": rng.choice(_WORDS),
        "usage": {"prompt_tokens": rng.randint(1, 10**5), "max_tokens": 4096},
        "text": _prose(rng, 30),
        "etag": f'W/"{_hex(rng, 32)}"',
    }
    return orjson.dumps({"body": orjson.dumps(body).decode()} if rng.random() < 0.3 else body).decode()


def _commits(rng: random.Random) -> str:
    return "\n".join(f"{_hex(rng, 40)} {_prose(rng, 8)}" for _ in range(rng.randint(2, 6)))


def main() -> None:
    redactor = Redactor(RedactionConfig(), b"0" * 32)
    redactor.redact_text("compile the rules before the clock starts")

    found: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for sample in secret_samples(seed=42, per_kind=20):
        text, _ = redactor.redact_text(sample.text)
        asked[sample.encoding] += 1
        found[sample.encoding] += secret_part(sample) not in text
    by_encoding = ", ".join(f"{encoding} {found[encoding] / asked[encoding]:.3f}" for encoding in asked)
    recall = found.total() / asked.total()
    print(f"recall, {len(KINDS)} kinds x {len(asked)} encodings x 20: {recall:.3f} ({by_encoding})")

    records = list(ordinary_traces(seed=7, megabytes=20))
    megabytes = sum(len(record.model_dump_json(exclude_none=True)) for record in records) / 1e6
    started = time.process_time()
    reports = [redactor.redact(record)[1] for record in records]
    seconds = time.process_time() - started
    false_hits = sum(report.occurrences for report in reports)
    kinds = sum((Counter(report.counts) for report in reports), Counter[str]())
    print(
        f"ordinary traces: {megabytes:.1f} MB, false hits {false_hits / megabytes:.2f} per MB {dict(kinds)}"
    )
    print(f"redaction, ordinary traces: {megabytes / seconds:.1f} MB/s")

    started = time.process_time()
    held = sum(screen(record).held for record in records)
    print(f"screening: {megabytes / (time.process_time() - started):.1f} MB/s, held {held} of {len(records)}")

    spiked = [
        record_of(user(sample.text), *(step.model_dump() for step in record.trajectory.steps))
        for record, sample in zip(records, secret_samples(seed=9, per_kind=20), strict=False)
    ]
    started = time.process_time()
    occurrences = sum(redactor.redact(record)[1].occurrences for record in spiked)
    seconds = time.process_time() - started
    print(f"redaction, a secret in every trace: {megabytes / seconds:.1f} MB/s, {occurrences} hidden")


if __name__ == "__main__":
    main()
