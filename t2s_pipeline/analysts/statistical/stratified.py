"""Tests of a habit against an outcome within strata (attempts at the same task).

Pooling over tasks confuses hard tasks with bad habits, so nothing here ever compares runs of different
strata. Cochran-Mantel-Haenszel for many strata, the exact conditional test for few, Benjamini-Hochberg over
everything tried (scipy).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
AnyArray = npt.NDArray[Any]

EXACT_UP_TO = 200
"""Informative strata up to which the exact distribution is computed; above, the normal approximation is
good to three digits and a hundred times faster."""


@dataclass(frozen=True)
class Contrast:
    """One habit tested over strata."""

    z: float
    """Cochran-Mantel-Haenszel; positive when the habit goes with the good outcome."""
    p_value: float
    strata: int
    """Strata with both sides of the habit and both outcomes."""
    rate_with: float
    """Share of good outcomes with the habit, strata weighted by n1*n0/n (Mantel-Haenszel)."""
    rate_without: float

    @property
    def difference(self) -> float:
        """Mantel-Haenszel risk difference, -1..1."""
        return self.rate_with - self.rate_without


NOTHING = Contrast(z=0.0, p_value=1.0, strata=0, rate_with=0.0, rate_without=0.0)


def stratified_test(habit: BoolArray, good: BoolArray, strata: IntArray, counted: BoolArray) -> Contrast:
    """Test `habit` against `good` within `strata`, over the rows that are `counted`.

    All arrays have one entry per run. Two-sided; exact when there are few informative strata.
    """
    rows = np.flatnonzero(counted)
    if rows.size == 0:
        return NOTHING
    codes = strata[rows]
    size = int(codes.max()) + 1
    x, y = habit[rows].astype(float), good[rows].astype(float)
    n = np.bincount(codes, minlength=size).astype(float)
    n1 = np.bincount(codes, x, minlength=size)
    m = np.bincount(codes, y, minlength=size)
    a = np.bincount(codes, x * y, minlength=size)
    informative = (n1 > 0) & (n1 < n) & (m > 0) & (m < n)
    if not informative.any():
        return NOTHING
    n, n1, m, a = n[informative], n1[informative], m[informative], a[informative]
    expected = n1 * m / n
    variance = n1 * (n - n1) * m * (n - m) / (n * n * (n - 1))
    z = float((a - expected).sum() / np.sqrt(variance.sum()))
    weight = n1 * (n - n1) / n
    with_habit = float((weight * a / n1).sum() / weight.sum())
    without = float((weight * (m - a) / (n - n1)).sum() / weight.sum())
    count = int(informative.sum())
    p_value = _exact(a, n, n1, m) if count <= EXACT_UP_TO else float(2 * stats.norm.sf(abs(z)))
    return Contrast(z, p_value, count, with_habit, without)


def _exact(a: AnyArray, n: AnyArray, n1: AnyArray, m: AnyArray) -> float:
    """Exact conditional test of a common odds ratio of one: given all margins, the sum of the cells is a
    convolution of hypergeometric distributions. Two-sided by summing outcomes no likelier than the seen one.
    """
    distribution = np.ones(1)
    offset = 0
    for total, exposed, good in zip(n.astype(int), n1.astype(int), m.astype(int), strict=True):
        low = max(0, exposed + good - total)
        distribution = np.convolve(distribution, _hypergeometric(total, good, exposed))
        offset += low
    seen = distribution[int(a.sum()) - offset]
    return float(min(1.0, distribution[distribution <= seen * (1 + 1e-9)].sum()))


@lru_cache(maxsize=4096)
def _hypergeometric(total: int, good: int, exposed: int) -> npt.NDArray[np.float64]:
    """Chances of each number of good outcomes among the exposed, smallest possible number first. Strata of
    few runs are alike, and scipy takes 0.2 ms for each."""
    low, high = max(0, exposed + good - total), min(exposed, good)
    return np.asarray(stats.hypergeom.pmf(np.arange(low, high + 1), total, good, exposed))


@dataclass(frozen=True)
class Adjusted:
    """What is left of a habit after the means of stratum and agent are taken out."""

    z: float
    difference: float
    """Least-squares difference in the share of good outcomes."""


def adjusted_for_agents(
    habit: BoolArray, good: BoolArray, strata: IntArray, agents: IntArray, counted: BoolArray
) -> Adjusted:
    """The habit with both stratum and agent taken out (two-way fixed effects).

    Used where each agent tried each task once, so that strata of (task, agent) would hold one run each: a
    habit that only tells a good agent from a bad one comes out near zero.
    """
    rows = np.flatnonzero(counted)
    if rows.size == 0:
        return Adjusted(0.0, 0.0)
    table = np.column_stack([habit[rows].astype(float), good[rows].astype(float)])
    groups = [np.unique(codes[rows], return_inverse=True)[1] for codes in (strata, agents)]
    for _ in range(20):
        for codes in groups:
            size = np.bincount(codes)
            for column in range(2):
                table[:, column] -= (np.bincount(codes, table[:, column]) / size)[codes]
    product = table[:, 0] * table[:, 1]
    spread, own = float(np.sqrt((product**2).sum())), float((table[:, 0] ** 2).sum())
    if spread <= 1e-12 or own <= 1e-9:
        return Adjusted(0.0, 0.0)
    return Adjusted(float(product.sum()) / spread, float(product.sum()) / own)


def q_values(p_values: list[float]) -> list[float]:
    """Benjamini-Hochberg adjusted p-values over everything that was tried."""
    if not p_values:
        return []
    return [float(q) for q in stats.false_discovery_control(np.clip(p_values, 0.0, 1.0), method="bh")]
