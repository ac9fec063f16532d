"""The shop's data: made row by row from named draws, kept as Python rows and loaded into DuckDB.

The rows are kept so that reference answers can be computed in Python, independently of any SQL.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import duckdb

from t2s_pipeline_tests.samples.draw import draw, pick, weighted, whole

FIRST_DAY = date(2024, 1, 2)
CUSTOMERS, ORDERS = 90, 420


@dataclass(frozen=True)
class Customer:
    customer_id: int
    full_name: str
    segment: str
    country_code: str
    signup_on: str


@dataclass(frozen=True)
class Product:
    sku: str
    title: str
    category: str
    list_price: Decimal


@dataclass(frozen=True)
class Depot:
    warehouse_code: str
    city: str
    region: str


@dataclass(frozen=True)
class Order:
    order_id: int
    customer_id: int
    warehouse_code: str
    placed_on: str
    status: str
    channel: str
    shipping_fee: Decimal

    @property
    def day(self) -> date:
        return date.fromisoformat(self.placed_on)

    @property
    def live(self) -> bool:
        return self.status != "cancelled"


@dataclass(frozen=True)
class Item:
    order_id: int
    line_no: int
    sku: str
    qty: int
    unit_price: Decimal

    @property
    def value(self) -> Decimal:
        return self.qty * self.unit_price


@dataclass(frozen=True)
class Shipment:
    shipment_id: int
    order_id: int
    carrier: str
    shipped_on: str
    delivered_on: str | None
    weight_kg: Decimal
    freight_cost: Decimal


@dataclass(frozen=True)
class Return:
    return_id: int
    order_id: int
    sku: str
    qty: int
    reason: str
    refund_amount: Decimal


SCHEMA = """
CREATE TABLE customers (customer_id INTEGER, full_name VARCHAR, segment VARCHAR, country_code VARCHAR,
    signup_on VARCHAR);
CREATE TABLE products (sku VARCHAR, title VARCHAR, category VARCHAR, list_price DECIMAL(8,2));
CREATE TABLE warehouses (warehouse_code VARCHAR, city VARCHAR, region VARCHAR);
CREATE TABLE orders (order_id INTEGER, customer_id INTEGER, warehouse_code VARCHAR, placed_on VARCHAR,
    status VARCHAR, channel VARCHAR, shipping_fee DECIMAL(8,2));
CREATE TABLE order_items (order_id INTEGER, line_no INTEGER, sku VARCHAR, qty INTEGER,
    unit_price DECIMAL(8,2));
CREATE TABLE shipments (shipment_id INTEGER, order_id INTEGER, carrier VARCHAR, shipped_on VARCHAR,
    delivered_on VARCHAR, weight_kg DECIMAL(8,2), freight_cost DECIMAL(8,2));
CREATE TABLE returns (return_id INTEGER, order_id INTEGER, sku VARCHAR, qty INTEGER, reason VARCHAR,
    refund_amount DECIMAL(8,2));
"""

PRODUCTS = (
    ("Kitchen", ("Enamel kettle", "Bread knife", "Cast-iron pan", "Pepper mill", "Colander")),
    ("Outdoor", ("Two-person tent", "Head torch", "Camping stove", "Dry bag 20 l", "Trekking poles")),
    ("Office", ("Desk lamp", "Monitor arm", "Cable tray", "Standing mat")),
    ("Garden", ("Pruning shears", "Watering can", "Hose reel", "Seed tray", "Leaf rake")),
    ("Toys", ("Marble run", "Wooden train", "Kite", "Puzzle 500")),
)
DEPOTS = (
    ("FRA1", "Frankfurt", "Central"),
    ("LYS1", "Lyon", "West"),
    ("GDN1", "Gdansk", "East"),
    ("MXP1", "Milan", "South"),
    ("RTM1", "Rotterdam", "West"),
)
FIRST_NAMES = ("Ines", "Jonas", "Marta", "Piet", "Lucia", "Emil", "Chiara", "Bram", "Zofia", "Louis")
LAST_NAMES = ("Weber", "Costa", "Nowak", "Moreau", "Visser", "Ricci", "Brandt", "Lund", "Kaya")
STATUSES = (("delivered", 0.60), ("shipped", 0.14), ("processing", 0.08), ("cancelled", 0.18))


@dataclass(frozen=True)
class Warehouse:
    """Every row of the database, in insertion order."""

    customers: tuple[Customer, ...]
    products: tuple[Product, ...]
    warehouses: tuple[Depot, ...]
    orders: tuple[Order, ...]
    order_items: tuple[Item, ...]
    shipments: tuple[Shipment, ...]
    returns: tuple[Return, ...]

    def order(self, order_id: int) -> Order:
        return self.orders[order_id - 1001]

    def customer(self, order: Order) -> Customer:
        return self.customers[order.customer_id - 1]

    def product(self, sku: str) -> Product:
        return next(product for product in self.products if product.sku == sku)

    def items(self, order: Order) -> list[Item]:
        return [item for item in self.order_items if item.order_id == order.order_id]

    def parcels(self, order: Order) -> list[Shipment]:
        return [parcel for parcel in self.shipments if parcel.order_id == order.order_id]

    def has_category(self, order: Order, category: str) -> bool:
        return any(self.product(item.sku).category == category for item in self.items(order))


@cache
def warehouse() -> Warehouse:
    """The one warehouse all tasks ask about."""
    products = tuple(
        Product(f"{category[:2].upper()}-{100 + 7 * place}", title, category, _price(8, 140, "list", title))
        for category, titles in PRODUCTS
        for place, title in enumerate(titles)
    )
    orders = tuple(_order(number) for number in range(ORDERS))
    items = tuple(item for order in orders for item in _items(order, products))
    return Warehouse(
        customers=tuple(_customer(number) for number in range(1, CUSTOMERS + 1)),
        products=products,
        warehouses=tuple(Depot(*row) for row in DEPOTS),
        orders=orders,
        order_items=items,
        shipments=_shipments(orders),
        returns=_returns(orders, items),
    )


def connect() -> duckdb.DuckDBPyConnection:
    """A fresh in-memory database with all rows; one thread, so that row order is fixed."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute(SCHEMA)
    rows = warehouse()
    for table in ("customers", "products", "warehouses", "orders", "order_items", "shipments", "returns"):
        records = [astuple(row) for row in getattr(rows, table)]
        places = ", ".join("?" for _ in records[0])
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", records)
    return connection


def _price(low: int, high: int, *name: object) -> Decimal:
    return Decimal(whole(low * 20, high * 20, *name)) * 5 / 100


def _customer(number: int) -> Customer:
    return Customer(
        customer_id=number,
        full_name=f"{pick(FIRST_NAMES, 'first', number)} {pick(LAST_NAMES, 'last', number)}",
        segment=weighted((("retail", 0.6), ("business", 0.3), ("partner", 0.1)), "segment", number),
        country_code=pick(("DE", "FR", "PL", "IT", "NL"), "country", number),
        signup_on=str(date(2022, 1, 1) + timedelta(days=whole(0, 700, "signup", number))),
    )


def _order(number: int) -> Order:
    channel = weighted((("web", 0.6), ("app", 0.3), ("phone", 0.1)), "channel", number)
    return Order(
        order_id=1001 + number,
        # squaring the draw gives a few regular customers and many rare ones
        customer_id=1 + int(CUSTOMERS * draw("buyer", number) ** 2),
        warehouse_code=pick(DEPOTS, "depot", number)[0],
        placed_on=str(FIRST_DAY + timedelta(days=number * 364 // ORDERS)),
        status=weighted(STATUSES, "status", number),
        channel=channel,
        shipping_fee=Decimal(pick((0, 490, 490, 790, 1290), "fee", number)) / 100,
    )


def _items(order: Order, products: tuple[Product, ...]) -> list[Item]:
    lines = weighted(((1, 0.25), (2, 0.3), (3, 0.25), (4, 0.2)), "lines", order.order_id)
    theme = pick(PRODUCTS, "theme", order.order_id)[0]
    themed = [product for product in products if product.category == theme]
    chosen: list[Item] = []
    for line in range(1, lines + 1):
        # most baskets stay within one category, as real ones do; that is what makes joins fan out
        shelf = themed if draw("on theme", order.order_id, line) < 0.7 else list(products)
        product = pick(shelf, "sku", order.order_id, line)
        rebate = pick((100, 100, 95, 90), "rebate", order.order_id, line)
        price = (product.list_price * rebate / 100).quantize(Decimal("0.01"))
        qty = whole(1, 4, "qty", order.order_id, line)
        chosen.append(Item(order.order_id, line, product.sku, qty, price))
    return chosen


def _shipments(orders: tuple[Order, ...]) -> tuple[Shipment, ...]:
    parcels: list[Shipment] = []
    for order in orders:
        if order.status not in ("delivered", "shipped"):
            continue
        for part in range(weighted(((1, 0.55), (2, 0.3), (3, 0.15)), "parcels", order.order_id)):
            name = ("parcel", order.order_id, part)
            sent = order.day + timedelta(days=whole(1, 4, *name, "sent"))
            arrived = sent + timedelta(days=whole(1, 9, *name, "arrived"))
            parcels.append(
                Shipment(
                    shipment_id=50001 + len(parcels),
                    order_id=order.order_id,
                    carrier=pick(("Polar", "Swift", "Trident"), "carrier", order.order_id),
                    shipped_on=str(sent),
                    delivered_on=str(arrived) if order.status == "delivered" else None,
                    weight_kg=Decimal(whole(3, 240, *name, "weight")) / 10,
                    freight_cost=_price(3, 25, *name, "freight"),
                )
            )
    return tuple(parcels)


def _returns(orders: tuple[Order, ...], items: tuple[Item, ...]) -> tuple[Return, ...]:
    delivered = {order.order_id for order in orders if order.status == "delivered"}
    back: list[Return] = []
    for item in items:
        name = ("return", item.order_id, item.line_no)
        if item.order_id in delivered and draw(*name) < 0.22:
            qty = whole(1, item.qty, *name, "qty")
            reason = pick(("damaged", "late", "wrong size", "changed mind"), *name, "reason")
            back.append(Return(9001 + len(back), item.order_id, item.sku, qty, reason, qty * item.unit_price))
    return tuple(back)
