"""Traces made up for measuring: chat JSONL of three kinds of agents, the same bytes for the same seed.

They have what the pipeline works on and nothing more: some thirty calls each, refused calls followed by
calls that worked, repeated calls, several attempts at each task with both outcomes, a habit that helps, and
results about as long and as varied as real ones. Nobody should read a skill mined from them as advice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

ATTEMPTS = 8
"""Traces per task."""

CALLS = (24, 34)
"""Fewest and most calls of a trace; with the task and the closing words, about thirty steps."""

TRACES_PER_FILE = 500

_CARELESS = 0.12
"""Chance that a call is made in the way the tool refuses."""
_REPEATED = 0.04
"""Chance that a call is made again although nothing has changed."""
_SUCCESS = {True: 0.75, False: 0.35}
"""Chance of success with and without the habit that helps."""


@dataclass(frozen=True)
class Call:
    """One tool call and what came back."""

    tool: str
    arguments: dict[str, Any]
    result: str


@dataclass(frozen=True)
class Kind:
    """One kind of agent: what it does, what it gets wrong, and the habit that helps it."""

    skill: str
    prompt: str
    habit: Callable[[random.Random], Call]
    ordinary: Callable[[random.Random], Call]
    refused_and_repaired: Callable[[random.Random], tuple[Call, Call]]


def write_inbox(inbox: Path, traces: int, *, seed: int) -> int:
    """Write that many traces, spread evenly over the kinds; returns the bytes written."""
    size = 0
    for position, kind in enumerate(KINDS):
        folder = inbox / kind.skill
        folder.mkdir(parents=True, exist_ok=True)
        wanted = traces // len(KINDS) + (position < traces % len(KINDS))
        for start in range(0, wanted, TRACES_PER_FILE):
            numbers = range(start, min(wanted, start + TRACES_PER_FILE))
            file = folder / f"chat-{start // TRACES_PER_FILE:04}.jsonl"
            with file.open("wb") as lines:
                for number in numbers:
                    size += lines.write(orjson.dumps(conversation(kind, number, seed=seed)) + b"\n")
    return size


def conversation(kind: Kind, number: int, *, seed: int) -> dict[str, Any]:
    """The trace of that number: a function of its arguments and nothing else."""
    task, attempt = divmod(number, ATTEMPTS)
    rng = random.Random(f"{seed}/{kind.skill}/{number}")
    about_task = random.Random(f"{seed}/{kind.skill}/task/{task}")
    # Some tasks are easy and some are hard; which, the agent does not know.
    ease = about_task.uniform(-0.3, 0.3)
    has_habit = rng.random() < 0.5
    success = rng.random() < min(0.95, max(0.05, _SUCCESS[has_habit] + ease))
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": kind.prompt},
        {"role": "user", "content": f"Task {task}. {_text(about_task, 3)}"},
    ]
    calls = [kind.habit(rng)] if has_habit else []
    wanted = rng.randint(*CALLS)
    while len(calls) < wanted:
        if rng.random() < _CARELESS:
            calls.extend(kind.refused_and_repaired(rng))
        else:
            calls.append(kind.ordinary(rng))
        if rng.random() < _REPEATED:
            calls.append(calls[-1])
    for place, call in enumerate(calls):
        messages.extend(_exchange(rng, f"call_{number}_{place}", call))
    messages.append({"role": "assistant", "content": f"Done. {_text(rng, 1)}"})
    return {
        "id": f"{kind.skill}-{number}",
        "task_id": f"{kind.skill}-task-{task}",
        "trial": attempt,
        "agent": f"agent-{attempt % 2}",
        "reward": float(success),
        "messages": messages,
    }


def _exchange(rng: random.Random, call_id: str, call: Call) -> Iterator[dict[str, Any]]:
    function = {"name": call.tool, "arguments": orjson.dumps(call.arguments).decode()}
    yield {
        "role": "assistant",
        "content": _text(rng, 1) if rng.random() < 0.6 else None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }
    yield {"role": "tool", "tool_call_id": call_id, "content": call.result}


@cache
def _sentences() -> tuple[str, ...]:
    rng = random.Random("sentences")
    syllables = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu")
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(3_000)]
    return tuple(" ".join(rng.choices(words, k=rng.randint(6, 16))).capitalize() + "." for _ in range(4_000))


def _text(rng: random.Random, sentences: int) -> str:
    return " ".join(rng.choices(_sentences(), k=sentences))


def _output(rng: random.Random) -> str:
    """A result as long as tools' results are: mostly some lines, now and then a page."""
    lines = rng.choice((1, 2, 4, 6, 10, 30))
    return "\n".join(rng.choices(_sentences(), k=lines))


_TABLES = {
    "orders": ("order_id", "customer_id", "ordered_at", "status", "amount", "region"),
    "customers": ("customer_id", "full_name", "country", "signed_up_at", "segment"),
    "products": ("product_id", "title", "category", "unit_price", "supplier"),
    "payments": ("payment_id", "order_id", "paid_at", "method", "amount"),
}


def _sql(query: str, result: str) -> Call:
    return Call("execute_sql", {"query": query}, result)


def _look_at_schema(rng: random.Random) -> Call:
    table = rng.choice(list(_TABLES))
    return _sql(f"DESCRIBE {table}", "\n".join(f"{column} | VARCHAR" for column in _TABLES[table]))


def _query(rng: random.Random) -> Call:
    table = rng.choice(list(_TABLES))
    shown, counted, filtered = rng.choices(_TABLES[table], k=3)
    queries = (
        f"SELECT {shown}, count(*) FROM {table} GROUP BY {shown} ORDER BY 2 DESC LIMIT {rng.randint(3, 50)}",
        f"SELECT {shown}, {counted} FROM {table} WHERE {filtered} = '{_word(rng)}'",
        f"SELECT avg({counted}) FROM {table} WHERE {filtered} > {rng.randint(1, 9_999)}",
        f"SELECT a.{shown} FROM {table} a JOIN orders o ON a.{shown} = o.order_id"
        f" WHERE o.amount > {rng.randint(1, 999)}",
    )
    return _sql(rng.choice(queries), _output(rng))


def _wrong_query(rng: random.Random) -> tuple[Call, Call]:
    table = rng.choice(list(_TABLES))
    right = rng.choice(_TABLES[table])
    number = rng.randint(1, 9_999)
    if rng.random() < 0.5:
        wrong = right.split("_")[0] + "_name"
        refused = f'Binder Error: Referenced column "{wrong}" not found in FROM clause! Candidates: "{right}"'
        return (
            _sql(f"SELECT {wrong} FROM {table} WHERE {right} > {number}", refused),
            _sql(f"SELECT {right} FROM {table} WHERE {right} > {number}", _output(rng)),
        )
    refused = f'Binder Error: column "{right}" must appear in the GROUP BY clause or be used in an aggregate'
    return (
        _sql(f"SELECT {right}, count(*) FROM {table} WHERE {right} <> '{number}'", refused),
        _sql(
            f"SELECT {right}, count(*) FROM {table} WHERE {right} <> '{number}' GROUP BY {right}",
            _output(rng),
        ),
    )


def _bash(command: str, result: str) -> Call:
    return Call("bash", {"command": command}, result)


def _run_tests_first(rng: random.Random) -> Call:
    return _bash(f"python -m pytest -q tests/test_{_word(rng)}.py", f"{rng.randint(1, 90)} passed in 1.2s")


def _command(rng: random.Random) -> Call:
    file = f"src/{_word(rng)}/{_word(rng)}.py"
    commands = (
        f"cat {file}",
        f"grep -rn '{_word(rng)}' src/ | head -{rng.randint(5, 50)}",
        f"sed -n '{rng.randint(1, 90)},{rng.randint(91, 300)}p' {file}",
        "git status --short && git diff --stat",
        f"ls -la src/{_word(rng)}",
        f"cd src && python {_word(rng)}.py --limit {rng.randint(1, 99)}",
    )
    return _bash(rng.choice(commands), _output(rng))


def _wrong_command(rng: random.Random) -> tuple[Call, Call]:
    word = _word(rng)
    if rng.random() < 0.5:
        refused = f" ! [rejected] {word} -> {word} (fetch first)\nerror: failed to push some refs to 'origin'"
        return (
            _bash(f"git push origin {word}", refused),
            _bash(f"git pull --rebase origin {word} && git push origin {word}", f"{word} -> {word}"),
        )
    return (
        _bash(f"python -m {word}.tool --all", f"ModuleNotFoundError: No module named '{word}'\nexit code 1"),
        _bash(f"PYTHONPATH=src python -m {word}.tool --all", _output(rng)),
    )


def _check_balance_first(rng: random.Random) -> Call:
    user = f"{_word(rng)}_{rng.randint(1_000, 9_999)}"
    return Call(
        "get_balance", {"user_id": user}, f'{{"user_id": "{user}", "balance": {rng.randint(10, 900)}}}'
    )


def _service_call(rng: random.Random) -> Call:
    user = f"{_word(rng)}_{rng.randint(1_000, 9_999)}"
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("find_user", {"user_id": user}),
        ("search_rooms", {"city": _word(rng), "nights": rng.randint(1, 9), "guests": rng.randint(1, 4)}),
        ("get_booking", {"booking_id": _code(rng)}),
        ("list_offers", {"city": _word(rng), "most": rng.randint(50, 500)}),
        ("calculate", {"expression": f"{rng.randint(1, 99)} * {rng.randint(1, 99)} + {rng.randint(1, 99)}"}),
    )
    tool, arguments = rng.choice(calls)
    found = {"status": "ok", "note": _output(rng), **arguments}
    return Call(tool, arguments, orjson.dumps(found).decode())


def _wrong_service_call(rng: random.Random) -> tuple[Call, Call]:
    total = rng.randint(100, 900)
    paid = total - rng.randint(5, 60)
    booking: dict[str, Any] = {"booking_id": _code(rng), "guests": rng.randint(1, 4)}
    if rng.random() < 0.5:
        refused = f"Error: payments do not add up: total price is {total}, but paid {paid}"
        return (
            Call("book_room", {**booking, "payments": [{"method": "card", "amount": paid}]}, refused),
            Call(
                "book_room",
                {**booking, "payments": [{"method": "card", "amount": total}]},
                '{"status": "ok"}',
            ),
        )
    nights = rng.randint(31, 90)
    return (
        Call(
            "change_booking", {**booking, "nights": nights}, f"Error: nights must be at most 30, got {nights}"
        ),
        Call("change_booking", {**booking, "nights": 30}, '{"status": "ok"}'),
    )


def _word(rng: random.Random) -> str:
    return rng.choice(_sentences()).split()[1].strip(".")


def _code(rng: random.Random) -> str:
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=6))


KINDS = (
    Kind("synthetic-sql", "You answer questions with SQL.", _look_at_schema, _query, _wrong_query),
    Kind("synthetic-shell", "You repair programs in a shell.", _run_tests_first, _command, _wrong_command),
    Kind("synthetic-booking", "You book rooms.", _check_balance_first, _service_call, _wrong_service_call),
)
