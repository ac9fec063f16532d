"""What one attempt at one task looks like before a format gets hold of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """What a tool answered."""

    text: str
    ok: bool = True
    cell: object = None
    """First value of a query result, for agents that read it off; None where there is none."""
    rows: int = 0


@dataclass(frozen=True)
class Turn:
    """One tool call with the thought before it (may be empty: agents often just call)."""

    thought: str
    tool: str
    arguments: dict[str, str]
    reply: Reply


@dataclass
class Attempt:
    """One run of one agent on one task, with the verifier's word on it."""

    task_id: str
    trial: int
    agent: str
    system: str
    question: str
    turns: list[Turn] = field(default_factory=list)
    closing: str = ""
    """Last message of the agent; empty when it ran out of calls."""
    reward: float = 0.0
    max_calls: int = 12

    @property
    def attempt_id(self) -> str:
        return f"{self.task_id}.{self.agent}.{self.trial}"
