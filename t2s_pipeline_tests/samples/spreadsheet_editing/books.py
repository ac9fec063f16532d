"""The four workbooks: rows from named draws, formulas with the values Excel would have cached.

openpyxl writes no cached values, and the mistakes these traces are about depend on them, so the values are
put into the sheet XML afterwards.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from t2s_pipeline_tests.samples.draw import draw, pick, whole

Cell = str | int | float | datetime
TOTAL = "Total"


def day_cell(text: str) -> datetime:
    """A date as Excel keeps it: without a time zone."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class Formula:
    """A column that Excel computes from its row."""

    text: str
    """With `{r}` for the row number."""
    value: Callable[[tuple[Cell, ...]], float]


@dataclass(frozen=True)
class Book:
    """One data sheet with a banner, a header and a total row, and one sheet with boxes to fill in."""

    name: str
    sheet: str
    title: str
    header_row: int
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """Without the formula column, which is the last."""
    formula: Formula
    totals: tuple[int, ...]
    """Columns (from 0) that the total row adds up."""
    typed_totals: bool
    """The total row holds numbers that somebody typed; otherwise it holds SUM formulas."""
    report: str
    """Name of the sheet with the boxes."""
    guesses: dict[str, str]
    """Sheet → the name somebody would guess who has not looked."""

    @property
    def first_row(self) -> int:
        return self.header_row + 1

    @property
    def last_row(self) -> int:
        """Last data row; the total row follows."""
        return self.header_row + len(self.rows)

    @property
    def full_rows(self) -> list[tuple[Cell, ...]]:
        """Data rows with the computed column, numbers as numbers."""
        return [(*map(as_number, row), round(self.formula.value(row), 2)) for row in self.rows]

    def column(self, title: str) -> int:
        return self.columns.index(title)

    def formula_cells(self) -> dict[str, str]:
        """Cell of the data sheet → formula, total row included."""
        letter = get_column_letter(len(self.columns))
        data_rows = range(self.first_row, self.last_row + 1)
        cells = {f"{letter}{row}": self.formula.text.format(r=row) for row in data_rows}
        if not self.typed_totals:
            for place in self.totals:
                letter = get_column_letter(place + 1)
                span = f"{letter}{self.first_row}:{letter}{self.last_row}"
                cells[f"{letter}{self.last_row + 1}"] = f"=SUM({span})"
        return cells


BOXES = {"C4": "D4", "C5": "D5", "C6": "D6", "C7": "D7"}
"""Boxes of the report sheet: merged from the first cell to the second."""


def as_number(value: Cell) -> Cell:
    """Numbers that were typed as text, as numbers; everything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"\d[\d,]*", value):
        return int(value.replace(",", ""))
    return value


def number_in(row: tuple[Cell, ...], place: int) -> float:
    """The number in a column of a row, typed as text or not."""
    value = as_number(row[place])
    if not isinstance(value, int | float):
        raise TypeError(f"no number in column {place}: {value!r}")
    return float(value)


def times(left: int, right: int) -> Callable[[tuple[Cell, ...]], float]:
    """Product of two columns of a row."""
    return lambda row: number_in(row, left) * number_in(row, right)


def _sales_rows() -> tuple[tuple[Cell, ...], ...]:
    products = (("Lantern", 24.5), ("Backpack", 79.0), ("Stove", 55.25), ("Tarp", 31.0))
    rows = []
    for number in range(26):
        product, price = pick(products, "sale", number)
        day = day_cell("2024-01-03") + timedelta(days=number * 13 + whole(0, 6, "sale day", number))
        region = pick(("North", "South", "East", "West"), "sale region", number)
        rows.append((day, region, product, whole(2, 30, "sale units", number), price))
    return tuple(rows)


def _stock_rows() -> tuple[tuple[Cell, ...], ...]:
    items = (
        "Hex bolt", "Washer", "Bracket", "Hinge", "Gasket", "Bearing", "Valve", "Clamp", "Bushing", "Spring",
    )  # fmt: skip
    rows = []
    for number in range(22):
        stock = whole(12, 900, "stock", number)
        large = stock * 3 + 400
        # an export from another system: large counts came in as text with a thousands separator
        shown: Cell = f"{large:,}" if draw("stock text", number) < 0.3 and large >= 1000 else stock
        item = f"{items[number % 10]} {'M6' if number < 10 else 'M8' if number < 20 else 'M10'}"
        area = pick(("A", "B", "C"), "bin", number)
        rows.append(
            (f"SK-{310 + number}", item, area, shown, whole(40, 300, "reorder", number),
             whole(4, 90, "cost", number) / 4)
        )  # fmt: skip
    return tuple(rows)


def _hour_rows() -> tuple[tuple[Cell, ...], ...]:
    people = (
        ("A. Okafor", "Design", 48.0), ("B. Lind", "Design", 52.5), ("C. Prasad", "Build", 44.0),
        ("D. Moreno", "Build", 41.5), ("E. Haas", "Support", 36.0), ("F. Tanaka", "Support", 38.5),
    )  # fmt: skip
    return tuple(
        (name, team, week, whole(18, 46, "hours", name, week), rate)
        for week in (23, 24, 25, 26)
        for name, team, rate in people
    )


def _budget_rows() -> tuple[tuple[Cell, ...], ...]:
    lines = (
        "Rent", "Power", "Cleaning", "Laptops", "Licences", "Cloud", "Travel", "Training", "Events", "Print",
        "Ads", "Agency", "Insurance", "Audit", "Legal", "Phones", "Repairs", "Catering",
    )  # fmt: skip
    groups = ("Site",) * 3 + ("IT",) * 3 + ("People",) * 2 + ("Marketing",) * 4 + ("Office",) * 6
    rows = []
    for number, line in enumerate(lines):
        plan = whole(8, 120, "plan", number) * 250
        actual = round(plan * (0.8 + 0.45 * draw("actual", number)))
        rows.append((line, groups[number], plan, actual))
    return tuple(rows)


@cache
def books() -> dict[str, Book]:
    """All workbooks by name."""
    return {
        "sales": Book(
            "sales", "Sales 2024", "Trail & Camp: sales 2024", 3,
            ("Date", "Region", "Product", "Units", "Price", "Amount"), _sales_rows(),
            Formula("=D{r}*E{r}", times(3, 4)), (3, 5), False, "Overview",
            {"Sales 2024": "Sales", "Overview": "Summary"},
        ),
        "stock": Book(
            "stock", "Stock list", "Stock at closing", 2,
            ("SKU", "Item", "Bin", "On hand", "Reorder at", "Unit cost", "Value"), _stock_rows(),
            Formula("=D{r}*F{r}", times(3, 5)), (4,), True, "Key figures",
            {"Stock list": "Stock", "Key figures": "KeyFigures"},
        ),
        "hours": Book(
            "hours", "Timesheet W23-26", "Project hours, weeks 23 to 26", 3,
            ("Employee", "Team", "Week", "Hours", "Rate", "Cost"), _hour_rows(),
            Formula("=D{r}*E{r}", times(3, 4)), (3,), True, "Cost report",
            {"Timesheet W23-26": "Timesheet", "Cost report": "Report"},
        ),
        "budget": Book(
            "budget", "Budget 2025", "Budget 2025 by line", 3,
            ("Line", "Group", "Plan", "Actual", "Variance"), _budget_rows(),
            Formula("=D{r}-C{r}", lambda row: number_in(row, 3) - number_in(row, 2)),
            (2, 3, 4), False, "Board", {"Budget 2025": "Budget", "Board": "Board summary"},
        ),
    }  # fmt: skip


@cache
def workbook_bytes(name: str, labels: tuple[str, ...]) -> bytes:
    """The .xlsx file of a book; `labels` are written beside the boxes of the report sheet."""
    book = books()[name]
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = book.sheet
    sheet["A1"] = book.title
    sheet["A1"].font = Font(bold=True)
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(book.columns))
    for place, title in enumerate(book.columns, start=1):
        sheet.cell(book.header_row, place, title).font = Font(bold=True)
    for number, row in enumerate(book.rows, start=book.first_row):
        for place, value in enumerate(row, start=1):
            sheet.cell(number, place, value)
    last = book.last_row + 1
    sheet.cell(last, 1, TOTAL)
    sums = {place: round(sum(number_in(row, place) for row in book.full_rows), 2) for place in book.totals}
    for place in book.totals:
        sheet.cell(last, place + 1, sums[place])
    for where, text in book.formula_cells().items():
        sheet[where] = text
    report = workbook.create_sheet(book.report)
    report["A1"] = book.report
    report.merge_cells("A1:D1")
    for (first, second), label in zip(BOXES.items(), labels, strict=False):
        report[f"A{first[1:]}"] = label
        report.merge_cells(f"{first}:{second}")
    stream = io.BytesIO()
    workbook.save(stream)
    letter = get_column_letter(len(book.columns))
    cached = {f"{letter}{number}": row[-1] for number, row in enumerate(book.full_rows, start=book.first_row)}
    cached |= {f"{get_column_letter(place + 1)}{last}": value for place, value in sums.items()}
    return _with_cached_values(stream.getvalue(), cached)


def _with_cached_values(data: bytes, cached: dict[str, Cell]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "xl/worksheets/sheet1.xml":
                content = re.sub(
                    rb'(<c r="([A-Z]+\d+)"[^>]*><f>[^<]*</f>)<v ?/>',
                    lambda found: found[1] + f"<v>{cached[found[2].decode()]}</v>".encode(),
                    content,
                )
            new.writestr(info, content)
    return stream.getvalue()
