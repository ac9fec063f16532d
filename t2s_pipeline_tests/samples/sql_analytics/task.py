"""What a question is: its wording, the ways to answer it right and wrong, and the reference answer.

SQL templates carry three marks that an agent fills in as its habits go:
`{live}` (or `{where_live}`) becomes the condition that leaves out cancelled orders, or nothing;
`<<o.placed_on>>` becomes a cast to DATE, or the bare text column;
column names may be replaced by the names an agent would guess that has not looked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from t2s_pipeline_tests.samples.sql_analytics.warehouse import Warehouse

Answer = Decimal | int | str
Family = Literal["fan_sum", "fan_count", "sales", "rank"]

GUESSED = {
    "placed_on": ("order_date", "created_at", "order_date"),
    "qty": ("quantity",),
    "unit_price": ("price",),
    "title": ("product_name", "name"),
    "country_code": ("country",),
    "freight_cost": ("shipping_cost", "cost"),
    "delivered_on": ("delivered_at", "delivery_date"),
    "shipped_on": ("shipped_at", "ship_date"),
    "refund_amount": ("amount", "refund"),
    "weight_kg": ("weight",),
    "shipping_fee": ("shipping_cost", "shipping"),
    "warehouse_code": ("warehouse_id",),
    "sku": ("product_id",),
    "segment": ("customer_type", "customer_segment"),
}
"""What each column is called by somebody who has not looked."""


@dataclass(frozen=True)
class SqlTask:
    """One question about the warehouse."""

    task_id: str
    family: Family
    question: str
    topic: str
    """What the question is about, as it reads in the middle of a sentence."""
    tables: tuple[str, ...]
    right: tuple[str, ...]
    answer: Callable[[Warehouse], Answer]
    fan_out: str = ""
    """The join that counts rows more than once; empty where no join tempts."""
    check: str = ""
    """A query that shows the fan-out: rows against distinct keys."""
    odd: tuple[str, ...] = ()
    """Other ways to get it wrong: a misread period, a tie, a rounding."""
    slack: Decimal = Decimal("0.011")
    """How far a number may be off."""

    @property
    def dated(self) -> bool:
        return "<<" in self.right[0]

    @property
    def needs_live(self) -> bool:
        return "live}" in self.right[0]


def matches(task: SqlTask, rows: Warehouse, given: object) -> bool:
    """The verifier: the given answer against one computed in Python from the rows."""
    expected = task.answer(rows)
    if isinstance(expected, str):
        return str(given).strip().lower() == expected.lower()
    try:
        return abs(Decimal(str(given)) - Decimal(str(expected))) <= task.slack
    except ArithmeticError:
        return False
