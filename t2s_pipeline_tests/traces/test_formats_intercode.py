"""InterCode episodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from t2s_pipeline_tests.traces.samples import calls, episode, everything, read, read_one, results, said, write


def test_episodes_are_read_from_an_object_and_from_a_list(tmp_path: Path) -> None:
    one, two = episode(0), episode(1, reward=0.4)

    from_object, _ = read(write(tmp_path / "ic_sql_react_10_turns.json", {"0": one, "1": two}))
    from_list, _ = read(write(tmp_path / "list" / "ic_sql_react_10_turns.json", [one, two]))

    assert [(trace.task_id, trace.outcome.status) for trace in from_object] == [
        ("0", "success"),
        ("1", "partial"),
    ]
    assert [trace.trace_id for trace in from_list] == [trace.trace_id for trace in from_object]
    assert {trace.agent for trace in from_object} == {"react_10_turns"}


def test_the_same_episode_of_two_agents_is_two_traces(tmp_path: Path) -> None:
    first = read_one(write(tmp_path / "ic_sql_multiturn_gpt-4.json", {"0": episode()}))
    second = read_one(write(tmp_path / "ic_sql_multiturn_gpt-3.5.json", {"0": episode()}))

    assert first.trace_id != second.trace_id
    assert (first.agent, second.agent) == ("multiturn_gpt-4", "multiturn_gpt-3.5")


def test_an_agent_named_in_the_episode_wins_over_the_file_name(tmp_path: Path) -> None:
    named = {**episode(), "agent": "careful", "trial": 2}

    trace = read_one(write(tmp_path / "episodes.json", {"0": named}))

    assert (trace.agent, trace.trial) == ("careful", "2")


@pytest.mark.parametrize(
    ("environment", "action", "call"),
    [
        ("ic_sql", "SELECT 1", ("sql", {"query": "SELECT 1"})),
        ("ic_sql", "execute[SELECT 1]", ("sql", {"query": "SELECT 1"})),
        ("ic_sql", "execute[SELECT a[0] FROM t]\nObservation", ("sql", {"query": "SELECT a[0] FROM t"})),
        ("ic_sql", "execute[SELECT cut off", ("sql", {"query": "SELECT cut off"})),
        ("ic_sql", "submit", ("submit", {})),
        ("ic_bash", "ls -la", ("bash", {"command": "ls -la"})),
        ("ic_python", "print(1)", ("python", {"code": "print(1)"})),
    ],
)
def test_actions_become_calls_of_the_tool_of_their_environment(
    tmp_path: Path, environment: str, action: str, call: tuple[str, dict[str, str]]
) -> None:
    path = write(tmp_path / "episodes.json", {"0": episode(actions=[action], environment=environment)})

    assert calls(read_one(path)) == [call]


def test_prose_instead_of_code_stays_what_the_agent_said(tmp_path: Path) -> None:
    complaint = "No SQL code was found in your last response."
    one = episode(actions=["Can you give me the tables?"], observations=[complaint], valid=[True], reward=0)

    trace = read_one(write(tmp_path / "episodes.json", {"0": one}))

    assert said(trace)[1] == ("agent", "Can you give me the tables?")
    assert calls(trace) == []
    assert results(trace) == [(complaint, True)]


def test_failed_turns_are_marked_and_thoughts_are_reasoning(tmp_path: Path) -> None:
    one = episode(
        actions=["SELECT x", "SELECT 1"],
        observations=["Error executing query: Unknown column 'x'", "[(1,)]"],
        valid=[False, True],
        thoughts=["try x", "try 1"],
    )

    trace = read_one(write(tmp_path / "episodes.json", {"0": one}))

    assert [failed for _, failed in results(trace)] == [True, False]
    assert [step.reasoning_content for step in trace.trajectory.steps[1:]] == ["try x", "try 1"]


def test_the_gold_answer_and_rewards_are_in_no_text(tmp_path: Path) -> None:
    one = {**episode(), "gold": "SELECT gold_answer"}

    trace = read_one(write(tmp_path / "episodes.json", {"0": one}))

    assert "gold_answer" not in everything(trace)
    assert trace.trajectory.steps[1].extra == {"reward": 1.0}


def test_an_episode_without_turns_has_no_steps(tmp_path: Path) -> None:
    empty = episode(actions=[], observations=[], valid=[])

    traces, quarantined = read(write(tmp_path / "episodes.json", {"0": empty, "1": episode(1)}))

    assert [trace.task_id for trace in traces] == ["1"]
    assert [one.reason for one in quarantined] == ["the trace has no steps"]
