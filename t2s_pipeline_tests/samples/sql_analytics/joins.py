"""Questions whose obvious join counts rows more than once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from t2s_pipeline_tests.samples.sql_analytics.task import Answer
from t2s_pipeline_tests.samples.sql_analytics.warehouse import Order, Warehouse

ZERO = Decimal(0)


def _delivered(rows: Warehouse) -> list[Order]:
    return [order for order in rows.orders if order.status == "delivered"]


def _value(rows: Warehouse, orders: list[Order]) -> Decimal:
    return sum((item.value for order in orders for item in rows.items(order)), ZERO)


def _freight(rows: Warehouse, orders: list[Order]) -> Decimal:
    return sum((parcel.freight_cost for order in orders for parcel in rows.parcels(order)), ZERO)


def _refunds(rows: Warehouse, orders: list[Order]) -> Decimal:
    chosen = {order.order_id for order in orders}
    return sum((back.refund_amount for back in rows.returns if back.order_id in chosen), ZERO)


def _carrier(rows: Warehouse, order: Order) -> set[str]:
    return {parcel.carrier for parcel in rows.parcels(order)}


def _returned(rows: Warehouse) -> set[int]:
    return {back.order_id for back in rows.returns}


def _outdoor_fees(rows: Warehouse) -> Decimal:
    return sum((o.shipping_fee for o in _delivered(rows) if rows.has_category(o, "Outdoor")), ZERO)


def _polar_value(rows: Warehouse) -> Decimal:
    return _value(rows, [o for o in _delivered(rows) if "Polar" in _carrier(rows, o)])


def _returned_freight(rows: Warehouse) -> Decimal:
    return _freight(rows, [o for o in _delivered(rows) if o.order_id in _returned(rows)])


def _kitchen_fee(rows: Warehouse) -> Decimal:
    fees = [
        o.shipping_fee for o in _delivered(rows) if o.channel == "web" and rows.has_category(o, "Kitchen")
    ]
    return round(sum(fees, ZERO) / len(fees), 2)


def _swift_refunds(rows: Warehouse) -> Decimal:
    return _refunds(rows, [o for o in _delivered(rows) if "Swift" in _carrier(rows, o)])


def _q2_kept(rows: Warehouse) -> Decimal:
    orders = [o for o in _delivered(rows) if o.day.month in (4, 5, 6)]
    return _value(rows, orders) - _refunds(rows, orders)


def _garden_weight(rows: Warehouse) -> Decimal:
    orders = [o for o in _delivered(rows) if rows.has_category(o, "Garden")]
    return sum((parcel.weight_kg for o in orders for parcel in rows.parcels(o)), ZERO)


def _rotterdam_fees(rows: Warehouse) -> Decimal:
    orders = [o for o in _delivered(rows) if o.warehouse_code == "RTM1"]
    heavy = [o for o in orders if any(parcel.weight_kg > 8 for parcel in rows.parcels(o))]
    return sum((o.shipping_fee for o in heavy), ZERO)


def _business_share(rows: Warehouse) -> Decimal:
    orders = [o for o in _delivered(rows) if rows.customer(o).segment == "business"]
    return round(100 * _freight(rows, orders) / _value(rows, orders), 2)


ANSWERS: dict[str, Callable[[Warehouse], Answer]] = {
    "sql-01": _outdoor_fees,
    "sql-02": _polar_value,
    "sql-03": _returned_freight,
    "sql-04": _kitchen_fee,
    "sql-05": _swift_refunds,
    "sql-06": _q2_kept,
    "sql-07": _garden_weight,
    "sql-08": _rotterdam_fees,
    "sql-09": _business_share,
}
