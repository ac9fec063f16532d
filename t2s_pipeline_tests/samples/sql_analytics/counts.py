"""Questions that count things which a join shows several times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from t2s_pipeline_tests.samples.sql_analytics.task import Answer
from t2s_pipeline_tests.samples.sql_analytics.warehouse import Order, Warehouse


def _delivered(rows: Warehouse) -> list[Order]:
    return [order for order in rows.orders if order.status == "delivered"]


def _kitchen_orders(rows: Warehouse) -> int:
    return sum(rows.has_category(order, "Kitchen") for order in _delivered(rows))


def _polish_buyers(rows: Warehouse) -> int:
    late = [o for o in _delivered(rows) if o.day.month >= 7]
    return len({o.customer_id for o in late if rows.customer(o).country_code == "PL"})


def _heavy_orders(rows: Warehouse) -> int:
    return sum(any(p.weight_kg > 10 for p in rows.parcels(o)) for o in _delivered(rows))


def _complaints(rows: Warehouse) -> int:
    return len({back.order_id for back in rows.returns if back.reason in ("damaged", "late")})


def _outdoor_firms(rows: Warehouse) -> int:
    bought = [o for o in _delivered(rows) if rows.has_category(o, "Outdoor")]
    return len({o.customer_id for o in bought if rows.customer(o).segment == "business"})


def _toy_orders(rows: Warehouse) -> int:
    return sum(o.channel in ("app", "phone") and rows.has_category(o, "Toys") for o in _delivered(rows))


def _german_returns(rows: Warehouse) -> int:
    return len({b.sku for b in rows.returns if rows.customer(rows.order(b.order_id)).country_code == "DE"})


def _garden_depot(rows: Warehouse) -> str:
    handled = Counter(o.warehouse_code for o in _delivered(rows) if rows.has_category(o, "Garden"))
    code = max(handled, key=lambda depot: handled[depot])
    return next(depot.city for depot in rows.warehouses if depot.warehouse_code == code)


ANSWERS: dict[str, Callable[[Warehouse], Answer]] = {
    "sql-10": _kitchen_orders,
    "sql-11": _polish_buyers,
    "sql-12": _heavy_orders,
    "sql-13": _complaints,
    "sql-14": _outdoor_firms,
    "sql-15": _toy_orders,
    "sql-16": _german_returns,
    "sql-17": _garden_depot,
}
