"""Hard questions: they need window functions and go wrong for reasons of their own.

They are what makes window functions look bad when attempts are pooled over tasks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import pairwise

from t2s_pipeline_tests.samples.sql_analytics.sales import revenue
from t2s_pipeline_tests.samples.sql_analytics.task import Answer
from t2s_pipeline_tests.samples.sql_analytics.warehouse import Order, Warehouse


def _by_month(rows: Warehouse) -> dict[int, Decimal]:
    months: dict[int, list[Order]] = defaultdict(list)
    for order in rows.orders:
        if order.live:
            months[order.day.month].append(order)
    return {month: revenue(rows, orders) for month, orders in sorted(months.items())}


def _third_month(rows: Warehouse) -> int:
    months = _by_month(rows)
    return sorted(months, key=lambda month: -months[month])[2]


def _longest_gap(rows: Warehouse) -> int:
    days = sorted({o.day for o in rows.orders if o.live and o.customer_id == 3})
    return max((later - earlier).days for earlier, later in pairwise(days))


def _best_jump(rows: Warehouse) -> int:
    months = _by_month(rows)
    return max(range(2, 13), key=lambda month: months[month] - months[month - 1])


def _day_passed(rows: Warehouse) -> str:
    total = Decimal(0)
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    for order in rows.orders:
        if order.live:
            by_day[order.day] += revenue(rows, [order])
    for day in sorted(by_day):
        total += by_day[day]
        if total > 60_000:
            return str(day)
    raise ValueError("the total is never reached")


def _grown(rows: Warehouse) -> int:
    per_customer: dict[int, list[Order]] = defaultdict(list)
    for order in rows.orders:
        if order.live:
            per_customer[order.customer_id].append(order)
    grown = 0
    for orders in per_customer.values():
        ordered = sorted(orders, key=lambda o: (o.day, o.order_id))
        grown += len(orders) > 1 and revenue(rows, ordered[-1:]) > revenue(rows, ordered[:1])
    return grown


ANSWERS: dict[str, Callable[[Warehouse], Answer]] = {
    "sql-29": _third_month,
    "sql-30": _longest_gap,
    "sql-31": _best_jump,
    "sql-32": _day_passed,
    "sql-33": _grown,
}
