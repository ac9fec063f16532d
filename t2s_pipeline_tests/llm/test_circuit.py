from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.llm.circuit import Circuit


@given(st.lists(st.sampled_from(["start", "succeed", "fail"]), max_size=60), st.integers(1, 6))
def test_whatever_happens_a_success_closes_it_and_waits_stay_short(events: list[str], threshold: int) -> None:
    circuit = Circuit(failures_to_open=threshold, outage_limit_s=600.0)
    now = 0.0

    for event in events:
        now += 1.0
        if event == "start":
            circuit.start()
        elif event == "succeed":
            circuit.succeed()
            assert not circuit.is_down
            assert not circuit.on_trial
        else:
            circuit.fail(now)
        assert 0 <= circuit.wait_s(now) <= 30.0
        assert not circuit.on_trial or circuit.is_down


def test_it_opens_after_so_many_failures_in_a_row_and_not_before() -> None:
    circuit = Circuit(failures_to_open=3, outage_limit_s=600.0)

    states = []
    for _ in range(3):
        circuit.fail(10.0)
        states.append(circuit.is_down)

    assert states == [False, False, True]
    assert circuit.wait_s(10.0) == 1.0
    assert circuit.wait_s(11.5) == 0.0


def test_failures_of_calls_that_were_under_way_when_it_opened_change_nothing() -> None:
    circuit = Circuit(failures_to_open=1, outage_limit_s=600.0)
    circuit.fail(0.0)

    for _ in range(50):
        circuit.fail(0.5)

    assert circuit.wait_s(0.5) == 0.5


def test_each_failed_trial_doubles_the_wait_up_to_a_bound_until_it_is_given_up() -> None:
    circuit = Circuit(failures_to_open=1, outage_limit_s=100.0)
    now = 0.0
    circuit.fail(now)

    waits = []
    while not circuit.given_up:
        waits.append(circuit.wait_s(now))
        now += waits[-1]
        circuit.start()
        circuit.fail(now)

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
