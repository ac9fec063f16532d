"""Questions about sales and orders: cancelled orders are in the tables and do not count.

The questions do not say so, as people do not; the status column does, to those who look at it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from t2s_pipeline_tests.samples.sql_analytics.task import Answer
from t2s_pipeline_tests.samples.sql_analytics.warehouse import Order, Warehouse

ZERO = Decimal(0)


def _live(rows: Warehouse) -> list[Order]:
    return [order for order in rows.orders if order.live]


def revenue(rows: Warehouse, orders: list[Order]) -> Decimal:
    """Quantity times unit price over all lines of these orders."""
    return sum((item.value for order in orders for item in rows.items(order)), ZERO)


def _web_first_quarter(rows: Warehouse) -> int:
    return sum(o.channel == "web" and o.day.month <= 3 for o in _live(rows))


def _may_revenue(rows: Warehouse) -> Decimal:
    return revenue(rows, [o for o in _live(rows) if o.day.month == 5])


def _business_basket(rows: Warehouse) -> Decimal:
    orders = [o for o in _live(rows) if rows.customer(o).segment == "business"]
    return round(revenue(rows, orders) / len(orders), 2)


def _torches(rows: Warehouse) -> int:
    sku = next(p.sku for p in rows.products if p.title == "Head torch")
    return sum(item.qty for o in _live(rows) for item in rows.items(o) if item.sku == sku)


def _italy(rows: Warehouse) -> Decimal:
    late = [o for o in _live(rows) if o.day.month >= 7]
    return revenue(rows, [o for o in late if rows.customer(o).country_code == "IT"])


def _top_toy(rows: Warehouse) -> str:
    sold: Counter[str] = Counter()
    for item in rows.order_items:
        product = rows.product(item.sku)
        if product.category == "Toys" and rows.order(item.order_id).live:
            sold[product.title] += item.qty
    return max(sold, key=lambda title: sold[title])


def _autumn_fees(rows: Warehouse) -> Decimal:
    return sum((o.shipping_fee for o in _live(rows) if o.day.month >= 10), ZERO)


def _regulars(rows: Warehouse) -> int:
    return sum(times >= 7 for times in Counter(o.customer_id for o in _live(rows)).values())


def _app_share(rows: Warehouse) -> Decimal:
    app = revenue(rows, [o for o in _live(rows) if o.channel == "app"])
    return round(100 * app / revenue(rows, _live(rows)), 1)


def _lyon_summer(rows: Warehouse) -> Decimal:
    orders = [o for o in _live(rows) if o.warehouse_code == "LYS1" and o.day.month in (6, 7, 8)]
    return revenue(rows, orders)


def _french_buyers(rows: Warehouse) -> int:
    late = [o for o in _live(rows) if o.day.month >= 10]
    return len({o.customer_id for o in late if rows.customer(o).country_code == "FR"})


ANSWERS: dict[str, Callable[[Warehouse], Answer]] = {
    "sql-18": _web_first_quarter,
    "sql-19": _may_revenue,
    "sql-20": _business_basket,
    "sql-21": _torches,
    "sql-22": _italy,
    "sql-23": _top_toy,
    "sql-24": _autumn_fees,
    "sql-25": _regulars,
    "sql-26": _app_share,
    "sql-27": _lyon_summer,
    "sql-28": _french_buyers,
}
