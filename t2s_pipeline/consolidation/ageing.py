"""How much old traces still count towards a rule, where a half-life is set.

Age is measured from the newest trace of the skill and not from today: the same traces give the same skill
whenever they are consolidated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

_DAY_S = 86_400.0


def weights_by_age(times: Mapping[str, str], half_life_days: float) -> dict[str, float]:
    """Weight of each trace, from above 0 to 1 for the newest, halved with every half-life.

    `times` gives the last ISO 8601 time in a trace by trace id. A trace without a time that can be read is
    left out: nobody can say that it is old.
    """
    read = {trace_id: moment for trace_id, text in times.items() if (moment := _moment(text)) is not None}
    newest = max(read.values(), default=0.0)
    return {
        trace_id: 0.5 ** ((newest - moment) / (half_life_days * _DAY_S)) for trace_id, moment in read.items()
    }


def _moment(text: str) -> float | None:
    """Seconds since the epoch; a time without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
