"""The three file layouts the attempts are written in, as the producers of these formats write them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from t2s_pipeline_tests.samples.attempt import Attempt, Turn
from t2s_pipeline_tests.samples.draw import token

Message = dict[str, object]


def openai_chat(attempts: Sequence[Attempt]) -> str:
    """JSONL: one conversation per line, with the harness's own keys beside `messages`."""
    lines = []
    for attempt in attempts:
        record = {
            "id": f"run-{token(10, 'run', attempt.attempt_id)}",
            "task_id": attempt.task_id,
            "trial": attempt.trial,
            "agent": attempt.agent,
            "reward": attempt.reward,
            "messages": [
                {"role": "system", "content": attempt.system},
                {"role": "user", "content": attempt.question},
                *_conversation(attempt),
            ],
        }
        lines.append(json.dumps(record, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def tau_bench(attempts: Sequence[Attempt]) -> str:
    """A result file: one JSON list of runs, each with its messages in `traj`.

    As in the files of that project, the agent's name stands in the file's name only.
    """
    runs = []
    for attempt in attempts:
        runs.append(
            {
                "task_id": attempt.task_id,
                "reward": attempt.reward,
                "info": {"reward_info": {"reward": attempt.reward}, "max_num_steps": attempt.max_calls},
                "traj": [
                    {"role": "system", "content": attempt.system},
                    {"role": "user", "content": attempt.question},
                    *_conversation(attempt),
                ],
                "trial": attempt.trial,
            }
        )
    return json.dumps(runs, ensure_ascii=False, indent=1) + "\n"


def intercode(attempts: Sequence[Attempt], *, environment: str) -> str:
    """A trajectory file: index → episode, with parallel lists of thoughts, actions and observations.

    As in the files of that project, the agent's name stands in the file's name only.
    """
    episodes = {}
    for index, attempt in enumerate(attempts):
        last = len(attempt.turns) - 1
        submitted = bool(attempt.turns) and attempt.turns[-1].tool == "submit"
        rewards = [attempt.reward if place == last and submitted else 0 for place in range(last + 1)]
        episodes[str(index)] = {
            "environment": environment,
            "task_id": attempt.task_id,
            "query": attempt.question,
            "turn_history": {
                "thoughts": [turn.thought for turn in attempt.turns],
                "actions": [_action(turn) for turn in attempt.turns],
                "observations": [turn.reply.text for turn in attempt.turns],
                "rewards": rewards,
                "valid_action": [turn.reply.ok for turn in attempt.turns],
            },
            "summary": {
                "max_reward": max(rewards, default=0),
                "turns_taken": len(attempt.turns),
                "turns_max": attempt.max_calls,
            },
        }
    return json.dumps(episodes, ensure_ascii=False, indent=1) + "\n"


def _action(turn: Turn) -> str:
    return "submit" if turn.tool == "submit" else f"execute[{turn.arguments['statement']}]"


def _conversation(attempt: Attempt) -> list[Message]:
    messages: list[Message] = []
    for place, turn in enumerate(attempt.turns):
        call_id = f"call_{token(20, 'call', attempt.attempt_id, place)}"
        function = {"name": turn.tool, "arguments": json.dumps(turn.arguments, ensure_ascii=False)}
        call = {"id": call_id, "type": "function", "function": function}
        messages.append({"role": "assistant", "content": turn.thought or None, "tool_calls": [call]})
        messages.append(
            {"role": "tool", "tool_call_id": call_id, "name": turn.tool, "content": turn.reply.text}
        )
    if attempt.closing:
        messages.append({"role": "assistant", "content": attempt.closing})
    return messages
