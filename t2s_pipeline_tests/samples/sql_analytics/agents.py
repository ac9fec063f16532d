"""The three agents: how they write, and how often they do what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Persona:
    """Habits as probabilities. None of them is always right or always wrong."""

    name: str
    layout: Literal["tall", "flat", "low"]
    """Tall: clauses on lines of their own; flat: one line; low: one line, keywords in lower case."""
    lists_tables: float
    schema_first: float
    checks_statuses: float
    """Looks at the status values, once it has seen that there is a status column."""
    avoids_fan_out: float
    checks_join: float
    """Compares rows with distinct keys before it answers."""
    repeats_refused: float
    """Sends the very same query again after the database refused it."""
    repeats_answered: float
    """Sends the very same query again although it was answered."""
    dumps_table: float
    re_reads_schema: float
    forgets_cast: float
    forgets_group: float
    decorates_answer: float
    gives_up: float
    """Stops after the third refusal."""
    live_clause: tuple[str, ...]
    max_calls: int


ATLAS = Persona(
    name="atlas-large", layout="tall", lists_tables=0.75, schema_first=0.70, checks_statuses=0.62,
    avoids_fan_out=0.58, checks_join=0.38, repeats_refused=0.06, repeats_answered=0.03, dumps_table=0.05,
    re_reads_schema=0.08, forgets_cast=0.40, forgets_group=0.10, decorates_answer=0.10, gives_up=0.05,
    live_clause=("o.status <> 'cancelled'", "o.status <> 'cancelled'", "o.status != 'cancelled'"),
    max_calls=14,
)  # fmt: skip
PICO = Persona(
    name="pico-mini", layout="low", lists_tables=0.35, schema_first=0.38, checks_statuses=0.45,
    avoids_fan_out=0.36, checks_join=0.14, repeats_refused=0.50, repeats_answered=0.22, dumps_table=0.25,
    re_reads_schema=0.18, forgets_cast=0.65, forgets_group=0.35, decorates_answer=0.22, gives_up=0.40,
    live_clause=("o.status != 'cancelled'", "o.status <> 'cancelled'"), max_calls=10,
)  # fmt: skip
ORBIT = Persona(
    name="orbit-react", layout="flat", lists_tables=0.55, schema_first=0.55, checks_statuses=0.50,
    avoids_fan_out=0.48, checks_join=0.20, repeats_refused=0.30, repeats_answered=0.10, dumps_table=0.12,
    re_reads_schema=0.15, forgets_cast=0.50, forgets_group=0.22, decorates_answer=0.0, gives_up=0.15,
    live_clause=("o.status <> 'cancelled'", "o.status NOT IN ('cancelled')"), max_calls=10,
)  # fmt: skip
PERSONAS = (ATLAS, PICO, ORBIT)

QUOTED = re.compile(r"('[^']*')")


def laid_out(sql: str, persona: Persona) -> str:
    """The query in the hand of this agent."""
    if persona.layout == "tall":
        return sql
    flat = re.sub(r"\(\s+", "(", re.sub(r"\s+", " ", sql)).replace(" )", ")").strip()
    if persona.layout == "flat":
        return flat
    return "".join(part if part.startswith("'") else part.lower() for part in QUOTED.split(flat))
