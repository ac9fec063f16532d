"""Whether an endpoint is up, judged from the calls that fail: a state machine without clock or loop.

Closed: calls go out. Open: the endpoint failed too often in a row, nothing goes out for a while. On trial:
one call is out, and its outcome decides. Given up: it stayed down longer than anybody wants to wait.
"""

from __future__ import annotations

from dataclasses import dataclass

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


@dataclass
class Circuit:
    """The state for one endpoint. All times are seconds on one monotonic clock."""

    failures_to_open: int
    """Failures in a row, over all calls, that mean the endpoint is down."""
    outage_limit_s: float
    """Time without any success after which it counts as given up."""

    failures: int = 0
    down_since: float | None = None
    closed_until_trial: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    on_trial: bool = False
    given_up: bool = False

    @property
    def is_down(self) -> bool:
        """Open, on trial or given up."""
        return self.down_since is not None

    def wait_s(self, now: float) -> float:
        """Seconds until a call may go out as the trial; 0 when it may go out now."""
        return max(0.0, self.closed_until_trial - now) if self.is_down else 0.0

    def start(self) -> None:
        """A call goes out; while the endpoint is down, it is the trial."""
        self.on_trial = self.is_down

    def succeed(self) -> None:
        """The endpoint answered something: it is up."""
        self.failures = 0
        self.down_since = None
        self.on_trial = False
        self.pause_s = _FIRST_PAUSE_S

    def fail(self, now: float) -> None:
        """A call got no answer. Calls that were under way when the circuit opened change nothing."""
        self.failures += 1
        if self.down_since is None and self.failures >= self.failures_to_open:
            self.down_since = now
            self.closed_until_trial = now + self.pause_s
        elif self.down_since is not None and self.on_trial:
            self.on_trial = False
            self.given_up = now - self.down_since >= self.outage_limit_s
            self.pause_s = min(2 * self.pause_s, _LONGEST_PAUSE_S)
            self.closed_until_trial = now + self.pause_s
