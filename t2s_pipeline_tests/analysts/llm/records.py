"""Records of an imagined booking agent, with as few words as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from atif import Agent, Step, Trajectory

from t2s_pipeline.analysts.llm.case import Case, case_of
from t2s_pipeline.traces.record import Outcome, OutcomeStatus, Source, TraceRecord
from t2s_pipeline_tests.builders import call, numbered, system, user

REFUSED = "Error: the payment does not add up to the total of the booking"
FULL = "Error: not enough seats left on this flight"


def record_of(
    *steps: Mapping[str, Any],
    trace_id: str = "t-1",
    task_id: str | None = "task-7",
    outcome: OutcomeStatus = "failure",
    agent: str = "agent",
    infra_error: bool = False,
) -> TraceRecord:
    """A record of the given steps."""
    return TraceRecord(
        trace_id=trace_id,
        skill="booking",
        task_id=task_id,
        agent=agent,
        source=Source(format="test", uri=f"inbox/booking/{trace_id}.json", sha256="0" * 64),
        outcome=Outcome(status=outcome, reward=0.125, source="benchmark", infra_error=infra_error),
        trajectory=Trajectory(
            schema_version="ATIF-v1.8",
            agent=Agent(name=agent, version="1"),
            steps=[Step.model_validate(step) for step in numbered(steps)],
        ),
    )


def case_with(*steps: Mapping[str, Any], **more: Any) -> Case:
    """A case of the given steps."""
    return case_of(record_of(*steps, **more))


def booking_steps(*, refused: bool = True, route: str = "DEN-HOU") -> list[dict[str, Any]]:
    """A booking: six steps, with a refusal that is put right unless it is told otherwise."""
    return [
        system("You book flights. Follow the policy of the airline in all that you do."),
        user(f"Please book a seat on {route} for two passengers."),
        call("search_flights", {"route": route}, f"{route} leaves at nine in the morning, two seats left"),
        call("book", {"route": route, "amount": 100}, REFUSED if refused else "booked: seat confirmed"),
        call("book", {"route": route, "amount": 200}, "booked: seat confirmed for two passengers"),
        {"source": "agent", "message": "Your two seats are booked, have a pleasant flight."},
    ]


def many_records(count: int, *, tasks: int = 20, padding: int = 0, seed: int = 0) -> list[TraceRecord]:
    """Attempts at several tasks with both outcomes; `padding` adds so many characters of results."""
    random = Random(seed)
    records = []
    for number in range(count):
        steps = booking_steps(refused=random.random() < 0.7, route=f"city {number % tasks} to city {number}")
        if padding:
            steps[3:3] = _padding(padding, random)
        outcome: OutcomeStatus = "success" if random.random() < 0.4 else "failure"
        task = f"task-{number % tasks}"
        records.append(record_of(*steps, trace_id=f"t-{number:04}", task_id=task, outcome=outcome))
    return records


def by_task(records: Sequence[TraceRecord]) -> dict[str | None, list[TraceRecord]]:
    """Records by their task."""
    grouped: dict[str | None, list[TraceRecord]] = {}
    for record in records:
        grouped.setdefault(record.task_id, []).append(record)
    return grouped


def _padding(characters: int, random: Random) -> list[dict[str, Any]]:
    """Calls whose results are long and all different."""
    words = "seat flight fare route city bag card total price morning evening window aisle".split()
    steps = []
    for page in range(20):
        text = " ".join(random.choices(words, k=characters // 20 // 6))
        steps.append(call("list_offers", {"page": page}, f"offers of page {page}: {text}"))
    return steps
