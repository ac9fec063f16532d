"""The jobs: what is asked, what the workbook must look like afterwards, and the verifier.

Expected cells are computed from the rows the workbook was made from, never by an agent's code.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.cell.cell import MergedCell
from openpyxl.utils import get_column_letter

from t2s_pipeline_tests.samples.spreadsheet_editing.books import Book, Cell, books, number_in, workbook_bytes

Op = Literal["sum", "mean", "max", "count", "formula", "flag", "summary"]


@dataclass(frozen=True)
class Where:
    """A condition on a column of the data sheet."""

    column: str
    sign: Literal["==", ">", ">=", "<"]
    literal: Cell

    def holds(self, value: Cell) -> bool:
        match self.sign:
            case "==":
                return value == self.literal
            case ">":
                return value > self.literal  # type: ignore[operator]
            case ">=":
                return value >= self.literal  # type: ignore[operator]
            case "<":
                return value < self.literal  # type: ignore[operator]


@dataclass(frozen=True)
class SheetTask:
    """One job on one workbook."""

    task_id: str
    book_name: str
    op: Op
    instruction: str
    topic: str
    of: str
    """Column that is added up, averaged, written as formula input, or grouped."""
    where: Where | None = None
    by: str = ""
    """Summaries: the column to group by."""
    header: str = ""
    """New column's title, or the new sheet's name."""
    formula: str = ""
    """New column: its formula with `{r}`."""
    box: str = "C4"
    """Figures: where the result goes."""
    label: str = ""

    @property
    def book(self) -> Book:
        return books()[self.book_name]

    @property
    def reads_formula(self) -> bool:
        """The job needs the value of cells that hold formulas."""
        computed = self.book.columns[-1]
        return self.op in ("sum", "mean", "max", "count", "summary") and (
            self.of == computed or (self.where is not None and self.where.column == computed)
        )

    @property
    def reads_text_numbers(self) -> bool:
        return self.of == "On hand" or self.op == "flag"

    @property
    def dated(self) -> bool:
        return self.where is not None and isinstance(self.where.literal, datetime)

    @property
    def figure(self) -> bool:
        return self.op in ("sum", "mean", "max", "count")

    def original(self) -> bytes:
        """The workbook the agent gets."""
        others = ("Prepared by", "Checked on", "Remarks", "Source")
        place = int(self.box[1:]) - 4
        labels = [*others[:place], self.label or "Result", *others[place:]]
        return workbook_bytes(self.book_name, tuple(labels[:4]))

    def expected(self) -> dict[tuple[str, str], Cell]:
        """(sheet, cell) → what must be there."""
        book = self.book
        if self.figure:
            return {(book.report, self.box): self._figure()}
        if self.op == "summary":
            return self._summary()
        letter = get_column_letter(len(book.columns) + 1)
        cells: dict[tuple[str, str], Cell] = {(book.sheet, f"{letter}{book.header_row}"): self.header}
        for number, row in enumerate(book.full_rows, start=book.first_row):
            low = number_in(row, 3) < number_in(row, 4)
            wanted = self.formula.format(r=number) if self.op == "formula" else "LOW" if low else "OK"
            cells[book.sheet, f"{letter}{number}"] = wanted
        return cells

    def _picked(self) -> list[Cell]:
        book, where = self.book, self.where
        return [
            row[book.column(self.of)]
            for row in book.full_rows
            if where is None or where.holds(row[book.column(where.column)])
        ]

    def _figure(self) -> Cell:
        picked = self._picked()
        if self.op == "count":
            return len(picked)
        numbers = [number_in((value,), 0) for value in picked]
        if self.op == "max":
            return max(numbers)
        return round(sum(numbers) if self.op == "sum" else sum(numbers) / len(numbers), 2)

    def _summary(self) -> dict[tuple[str, str], Cell]:
        book = self.book
        groups: dict[Cell, float] = defaultdict(float)
        for row in book.full_rows:
            groups[row[book.column(self.by)]] += number_in(row, book.column(self.of))
        whole = sum(groups.values())
        cells: dict[tuple[str, str], Cell] = {
            (self.header, "A1"): self.by, (self.header, "B1"): self.of, (self.header, "C1"): "Share",
        }  # fmt: skip
        ordered = sorted(groups.items(), key=lambda pair: -pair[1])
        for number, (name, amount) in enumerate(ordered, start=2):
            cells[self.header, f"A{number}"] = name
            cells[self.header, f"B{number}"] = round(amount, 2)
            cells[self.header, f"C{number}"] = round(amount / whole, 4)
        return cells


def passes(task: SheetTask, path: Path) -> bool:
    """The verifier: wanted cells are there, formulas are still formulas, the rest is untouched."""
    try:
        workbook = load_workbook(path)
    except (BadZipFile, KeyError):
        return False
    expected, book = task.expected(), task.book
    if any(sheet not in workbook.sheetnames for sheet, _ in expected):
        return False
    if not all(_same(workbook[sheet][cell].value, value) for (sheet, cell), value in expected.items()):
        return False
    sheet = workbook[book.sheet]
    if any(sheet[cell].value != formula for cell, formula in book.formula_cells().items()):
        return False
    for number, row in enumerate(book.rows, start=book.first_row):
        if any(not _same(sheet.cell(number, place).value, value) for place, value in enumerate(row, 1)):
            return False
    beyond = sheet.cell(book.last_row + 1, len(book.columns) + 1)
    return isinstance(beyond, MergedCell) or beyond.value is None


def _same(found: object, wanted: Cell) -> bool:
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return abs(found - wanted) <= (0.00011 if abs(wanted) <= 1 else 0.011)
    return found == wanted
