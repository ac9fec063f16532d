from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from t2s_pipeline.analysts.lesson import Evidence, Lesson, RuleText, Signature
from t2s_pipeline.analysts.llm.merging import LLMMerger
from t2s_pipeline.consolidation.cluster import Support
from t2s_pipeline.consolidation.consolidate import account, consolidate
from t2s_pipeline.consolidation.merge import InductiveMerger, Stated
from t2s_pipeline.consolidation.support import count_support
from t2s_pipeline.llm.calls import CallFailed
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline_tests.llm.server import LocalServer


class Plain:
    """A merger that costs nothing."""

    name = "plain"
    version = "1"

    def merge(self, lessons: Sequence[Lesson], support: Support) -> RuleText | None:  # noqa: ARG002
        return RuleText(headline=f"Plain words for {len(lessons)}.")


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(keep=True) as running:
        yield running


def merger_for(server: LocalServer, cache: Path, **changes: Any) -> LLMMerger:
    """A merger that asks the local endpoint."""
    fields = {"base_url": server.base_url, "model": "m", "output_mode": "json_schema"} | changes
    return LLMMerger(
        LLMSettings.model_validate(fields), cache, Plain(), skill="booking", rng=random.Random(0)
    )


def lesson(number: int, *, do: str | None = None, engine: str = "llm") -> Lesson:
    """One of several lessons about the same refusal."""
    return Lesson.model_validate(
        {
            "skill": "booking",
            "kind": "repair",
            "engine": engine,
            "analyst": "error",
            "trace_id": f"t-{number}",
            "task_id": f"task-{number}",
            "outcome": "failure",
            "when": "before booking",
            "do": do or f"Check what the tool needs before you call it, way {'abcdefgh'[number]}.",
            "because": "It was refused.",
            "section": "tools",
            "signature": Signature(pattern="error", tool="book", trigger="sum is wrong"),
            "evidence": (Evidence(trace_id=f"t-{number}", first_step=1, last_step=1, quote="refused"),),
        }
    )


LESSONS = [lesson(number) for number in range(4)]


def test_it_offers_what_consolidation_asks_of_an_engine_whose_calls_cost(
    server: LocalServer, tmp_path: Path
) -> None:
    assert isinstance(merger_for(server, tmp_path), InductiveMerger)


def test_lessons_become_one_rule_in_one_call(server: LocalServer, tmp_path: Path) -> None:
    with merger_for(server, tmp_path) as merger:
        rule = merger.merge(LESSONS, count_support(LESSONS))

    assert rule == RuleText(headline="Check what the tool needs before you call it.")
    assert server.seen.chats == 1
    assert [(row.purpose, row.status) for row in merger.rows] == [("merge", "ok")]


def test_the_same_merge_is_paid_for_once(server: LocalServer, tmp_path: Path) -> None:
    for _ in range(2):
        with merger_for(server, tmp_path) as merger:
            merger.merge(LESSONS, count_support(LESSONS))

    assert server.seen.chats == 1


@pytest.mark.parametrize(
    "lessons",
    [[lesson(1)], [lesson(1, do="Look at it first."), lesson(2, do="Look at it first.")]],
    ids=["one lesson", "one wording"],
)
def test_one_wording_needs_no_call(server: LocalServer, tmp_path: Path, lessons: list[Lesson]) -> None:
    with merger_for(server, tmp_path) as merger:
        rule = merger.merge(lessons, count_support(lessons))

    assert rule is not None
    assert lessons[0].do in rule.headline
    assert server.seen.chats == 0


def test_lessons_of_the_other_engine_are_worded_by_the_fallback(server: LocalServer, tmp_path: Path) -> None:
    counted = [lesson(number, engine="statistical") for number in range(3)]

    with merger_for(server, tmp_path) as merger:
        rule = merger.merge(counted, count_support(counted))

    assert rule == RuleText(headline="Plain words for 3.")
    assert server.seen.chats == 0


def test_a_merge_without_usable_answer_fails_after_its_repair_turn(
    server: LocalServer, tmp_path: Path
) -> None:
    server.misbehave(faults=("wrong schema",), fault_rate=1.0)

    with merger_for(server, tmp_path) as merger, pytest.raises(CallFailed):
        merger.merge(LESSONS, count_support(LESSONS))

    assert server.seen.chats == 2


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ([1, 2, 3], "number 4 is missing"),
        ([1, 2, 3, 4, 9], "number 9 was not given"),
        ([1, 2, 3, 3, 4], "number 3 is named twice"),
    ],
)
def test_a_merge_that_does_not_account_for_every_lesson_once_is_no_answer(
    server: LocalServer, tmp_path: Path, named: list[int], problem: str
) -> None:
    fates = [{"lesson": number, "use": "kept", "reason": ""} for number in named]
    reply = {"lessons": fates, "usable": True, "headline": "Check what the tool needs first.", "detail": ""}
    server.misbehave(content=json.dumps(reply))

    with merger_for(server, tmp_path) as merger, pytest.raises(CallFailed, match=problem):
        merger.merge(LESSONS, count_support(LESSONS))

    assert problem in server.seen.requests[-1]["messages"][-1]["content"]


def test_lessons_that_are_all_dropped_make_no_rule(server: LocalServer, tmp_path: Path) -> None:
    fates = [{"lesson": number, "use": "dropped", "reason": "vague"} for number in (1, 2, 3, 4)]
    reply = {"lessons": fates, "usable": True, "headline": "Check what the tool needs first.", "detail": ""}
    server.misbehave(content=json.dumps(reply))

    with merger_for(server, tmp_path) as merger:
        assert merger.merge(LESSONS, count_support(LESSONS)) is None


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"groups": [[1, 2], [3]], "opposed": []}, "number 4 is missing"),
        ({"groups": [[1, 2], [3, 4, 1]], "opposed": []}, "number 1 is named twice"),
        ({"groups": [[1, 2], [3, 4]], "opposed": [[1, 7]]}, "names 7"),
    ],
)
def test_a_judgement_that_does_not_account_for_every_finding_once_is_no_answer(
    server: LocalServer, tmp_path: Path, reply: dict[str, Any], problem: str
) -> None:
    server.misbehave(content=json.dumps(reply))
    findings = [Stated(kind=le.kind, signature=le.signature) for le in LESSONS]

    with merger_for(server, tmp_path) as merger, pytest.raises(CallFailed, match=problem):
        merger.judge(findings)


def test_a_judgement_tells_what_is_the_same_and_what_is_opposed(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(content=json.dumps({"groups": [[4, 1], [2], [3]], "opposed": [[3, 2], [1, 1]]}))
    findings = [Stated(kind=le.kind, signature=le.signature) for le in LESSONS]

    with merger_for(server, tmp_path) as merger:
        judgement = merger.judge(findings)

    assert judgement.same == ((0, 3), (1,), (2,))
    assert judgement.opposed == ((1, 2),)


def test_a_pair_that_is_named_with_a_number_twice_is_a_pair(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(content=json.dumps({"groups": [[1], [2], [3], [4]], "opposed": [[3, 2, 3], [4, 3, 2]]}))
    findings = [Stated(kind=le.kind, signature=le.signature) for le in LESSONS]

    with merger_for(server, tmp_path) as merger:
        judgement = merger.judge(findings)

    assert judgement.opposed == ((1, 2),)


def test_a_judgement_of_very_many_numbers_is_refused_in_a_moment(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(content=json.dumps({"groups": [[1] * 150_000], "opposed": []}))
    started = monotonic()

    with merger_for(server, tmp_path) as merger, pytest.raises(CallFailed, match="name each of 1 to 4"):
        merger.judge([Stated(kind=le.kind, signature=le.signature) for le in LESSONS])

    assert monotonic() - started < 20


def test_a_judgement_accounts_for_every_finding(server: LocalServer, tmp_path: Path) -> None:
    findings = [Stated(kind=le.kind, signature=le.signature) for le in LESSONS]

    with merger_for(server, tmp_path) as merger:
        judgement = merger.judge(findings)

    assert judgement.same == ((0,), (1,), (2,), (3,))


def test_merges_from_many_threads_share_one_gate(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(delay_s=0.05)
    groups = [[lesson(n, do=f"Do {word} {n} first.") for n in range(3)] for word in "abcdefghijkl"]

    with merger_for(server, tmp_path, max_in_flight=3) as merger, ThreadPoolExecutor(12) as pool:
        rules = list(pool.map(lambda group: merger.merge(group, count_support(group)), groups))

    assert len(rules) == 12
    assert server.seen.most_in_flight == 3


def test_no_lesson_is_lost_when_the_endpoint_answers_nonsense(server: LocalServer, tmp_path: Path) -> None:
    server.misbehave(faults=("empty", "wrong schema", "truncated", "refusal"), fault_rate=0.7)

    with merger_for(server, tmp_path) as merger:
        result = consolidate(LESSONS, skill="booking", min_tasks=2, merger=merger)

    assert account(LESSONS, result).holds
    assert [cluster.placement for cluster in result.clusters] == ["skill"]


def test_the_version_changes_with_what_decides_the_words(server: LocalServer, tmp_path: Path) -> None:
    versions = {
        merger_for(server, tmp_path, **changes).version
        for changes in ({}, {"model": "other"}, {"seed": 3}, {"temperature": 0.7})
    }

    assert len(versions) == 4
