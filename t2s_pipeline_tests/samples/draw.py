"""Chance that does not depend on order: a draw is a function of the seed and of what is being drawn.

`random.Random` would tie every draw to all draws before it, so that one more task would change every
trace after it. Here each draw hashes its own name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

SEED = "samples-1"

T = TypeVar("T")


def draw(*name: object) -> float:
    """A number in [0, 1) that belongs to this name."""
    digest = hashlib.sha256("\x1f".join((SEED, *map(str, name))).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def happens(probability: float, *name: object) -> bool:
    """Whether the named thing happens, given how often such things happen."""
    return draw(*name) < probability


def whole(low: int, high: int, *name: object) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + int(draw(*name) * (high - low + 1))


def pick(options: Sequence[T], *name: object) -> T:
    """One of the options, all equally likely."""
    return options[whole(0, len(options) - 1, *name)]


def weighted(options: Sequence[tuple[T, float]], *name: object) -> T:
    """One of the options, each as likely as its weight says."""
    rest = draw(*name) * sum(weight for _, weight in options)
    for option, weight in options:
        rest -= weight
        if rest < 0:
            return option
    return options[-1][0]


def token(length: int, *name: object) -> str:
    """Letters and digits that look like an id and are the same on every machine."""
    alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
    return "".join(pick(alphabet, *name, position) for position in range(length))
