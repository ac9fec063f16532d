"""The Python an agent writes for a job: three hands, and the slips it does not know of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from openpyxl.utils import get_column_letter

from t2s_pipeline_tests.samples.draw import pick
from t2s_pipeline_tests.samples.spreadsheet_editing.books import BOXES, Cell
from t2s_pipeline_tests.samples.spreadsheet_editing.task import SheetTask

Loading = Literal["twice", "values", "plain"]


@dataclass
class Draft:
    """What is in the agent's mind when it writes the code."""

    loading: Loading
    skips_total: bool
    saves: bool
    converts: Literal["", "float", "clean"] = ""
    text_date: bool = False
    zero_based: bool = False
    wrong_box: bool = False
    """Writes to the right half of a merged box."""
    misplaced: bool = False
    """Writes to the box of another row."""
    guessed_sheet: str = ""
    odd: str = ""
    """unsorted | percent | rounding | threshold | values | no header"""


def code_for(task: SheetTask, draft: Draft, style: str, name: tuple[object, ...]) -> str:
    """A script that does the job, as this agent would write it in this attempt."""
    lines, source = _opening(task, draft, style, name)
    if task.figure:
        lines += _figure(task, draft, style, source, name)
    elif task.op == "summary":
        lines += _summary(task, draft, style, source)
    else:
        lines += _column(task, draft, style)
    if draft.saves:
        lines.append('wb.save("book.xlsx")' if style != "lists" else "wb.save('book.xlsx')")
    lines.append(_report(task, name))
    return "\n".join(lines) + "\n"


def chosen_box(task: SheetTask, draft: Draft) -> str:
    """Top-left cell of the box the agent has in mind."""
    return next(other for other in BOXES if other != task.box) if draft.misplaced else task.box


def verify_code(task: SheetTask, style: str, *, formulas: bool) -> str:
    """Open the saved file again and print what was written."""
    book = task.book
    lines = ["from openpyxl import load_workbook", 'wb = load_workbook("book.xlsx")']
    if task.figure:
        lines.append(f'print(wb["{book.report}"]["{task.box}"].value)')
    elif task.op == "summary":
        lines.append(f'ws = wb["{task.header}"]')
        lines.append("for row in ws.iter_rows(values_only=True):\n    print(row)")
    else:
        place = len(book.columns) + 1
        lines.append(f'ws = wb["{book.sheet}"]')
        lines.append(f"for r in ({book.header_row}, {book.first_row}, ws.max_row - 1, ws.max_row):")
        lines.append(f"    print(r, ws.cell(r, {place}).value)")
    if formulas:
        cell = f"{get_column_letter(len(book.columns))}{book.first_row}"
        lines.append(f'print("{cell}:", wb["{book.sheet}"]["{cell}"].value)')
    text = "\n".join(lines) + "\n"
    return text.replace('"', "'") if style == "lists" else text


def _opening(task: SheetTask, draft: Draft, style: str, name: tuple[object, ...]) -> tuple[list[str], str]:
    first, load = {
        "rows": ("from openpyxl import load_workbook", "load_workbook"),
        "cells": ("import openpyxl", "openpyxl.load_workbook"),
        "lists": ("import openpyxl as xl", "xl.load_workbook"),
    }[style]
    lines = [first]
    if task.dated and not draft.text_date:
        lines.insert(0, "from datetime import datetime")
    lines.append("")
    sheet = draft.guessed_sheet or task.book.sheet
    quote = "'" if style == "lists" else '"'
    file, shown = f"{quote}book.xlsx{quote}", f"{quote}{sheet}{quote}"
    if draft.loading == "twice":
        values = pick(("values", "vals", "computed"), *name, "values name")
        lines += [f"wb = {load}({file})", f"{values} = {load}({file}, data_only=True)"]
        lines.append(f"ws = {values}[{shown}]")
    elif draft.loading == "values":
        lines += [f"wb = {load}({file}, data_only=True)", f"ws = wb[{shown}]"]
    else:
        lines += [f"wb = {load}({file})", f"ws = wb[{shown}]"]
    return lines, "ws"


def _literal(draft: Draft, value: Cell) -> str:
    if isinstance(value, datetime):
        parts = f"{value.year}, {value.month}, {value.day}"
        return f'"{value:%Y-%m-%d}"' if draft.text_date else f"datetime({parts})"
    if draft.odd == "threshold" and isinstance(value, int):
        return repr(value + 1)
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _converted(text: str, task: SheetTask, draft: Draft) -> str:
    if not task.reads_text_numbers or not draft.converts:
        return text
    return f"float({text})" if draft.converts == "float" else f'float(str({text}).replace(",", ""))'


def _figure(task: SheetTask, draft: Draft, style: str, source: str, name: tuple[object, ...]) -> list[str]:
    book, where = task.book, task.where
    of = book.column(task.of)
    first = book.first_row
    if style == "rows":
        condition = "True" if where is None else (
            f"row[{book.column(where.column)}] {where.sign} {_literal(draft, where.literal)}"
        )  # fmt: skip
        taken = _converted(f"row[{of}]", task, draft)
        lines = ["picked = []", f"for row in {source}.iter_rows(min_row={first}, values_only=True):"]
        if draft.skips_total:
            lines += ['    if row[0] == "Total":', "        continue"]
        if where is None:
            lines.append(f"    picked.append({taken})")
        else:
            lines += [f"    if {condition}:", f"        picked.append({taken})"]
        outcome = _aggregate(task, draft, "picked")
    elif style == "cells":
        counter = pick(("total", "acc", "result"), *name, "counter")
        cell = _converted(f"{source}.cell(r, {of + 1}).value", task, draft)
        start = {"sum": "0", "mean": "0", "count": "0", "max": "None"}[task.op]
        lines = [f"{counter} = {start}", *(["n = 0"] if task.op == "mean" else [])]
        lines += [f"for r in range({first}, {source}.max_row + 1):", *_skipping(draft, source)]
        pad = "    "
        if where is not None:
            tested = f"{source}.cell(r, {book.column(where.column) + 1}).value"
            lines.append(f"    if {tested} {where.sign} {_literal(draft, where.literal)}:")
            pad = "        "
        if task.op == "max":
            lines += [f"{pad}v = {cell}", f"{pad}if {counter} is None or v > {counter}:"]
            lines.append(f"{pad}    {counter} = v")
        else:
            lines.append(f"{pad}{counter} += {1 if task.op == 'count' else cell}")
        if task.op == "mean":
            lines.append(f"{pad}n += 1")
        digits = 1 if draft.odd == "rounding" else 2
        outcome = f"round({counter} / n, {digits})" if task.op == "mean" else counter
    else:
        test = "" if where is None else (
            f" if row[{book.column(where.column)}] {where.sign} "
            + _literal(draft, where.literal).replace('"', "'")
        )  # fmt: skip
        rows = f"[r for r in {source}.iter_rows(min_row={first}, values_only=True)"
        rows += " if r[0] != 'Total']" if draft.skips_total else "]"
        taken = _converted(f"row[{of}]", task, draft).replace('"', "'")
        lines = [f"rows = {rows}", f"picked = [{taken} for row in rows{test}]"]
        outcome = _aggregate(task, draft, "picked")
    box = BOXES[chosen_box(task, draft)] if draft.wrong_box else chosen_box(task, draft)
    quote = "'" if style == "lists" else '"'
    where_to = f"wb[{quote}{book.report}{quote}][{quote}{box}{quote}]"
    lines.append(f"answer = {outcome}")
    lines.append(f"{where_to} = answer" if style != "lists" else f"{where_to}.value = answer")
    return lines


def _skipping(draft: Draft, sheet: str, quote: str = '"') -> list[str]:
    if not draft.skips_total:
        return []
    label = 0 if draft.zero_based else 1
    return [f"    if {sheet}.cell(r, {label}).value == {quote}Total{quote}:", "        continue"]


def _aggregate(task: SheetTask, draft: Draft, of: str) -> str:
    digits = 1 if draft.odd == "rounding" else 2
    return {
        "sum": f"sum({of})", "mean": f"round(sum({of}) / len({of}), {digits})", "max": f"max({of})",
        "count": f"len({of})",
    }[task.op]  # fmt: skip


def _column(task: SheetTask, draft: Draft, style: str) -> list[str]:
    book = task.book
    place, letter = len(book.columns) + 1, get_column_letter(len(book.columns) + 1)
    quote = "'" if style == "lists" else '"'
    lines = [f"ws[{quote}{letter}{book.header_row}{quote}] = {quote}{task.header}{quote}"]
    lines += [f"for r in range({book.first_row}, ws.max_row + 1):", *_skipping(draft, "ws", quote)]
    if task.op == "formula" and draft.odd != "values":
        lines.append(f"    ws.cell(r, {place}).value = f{quote}{task.formula}{quote}")
    elif task.op == "formula":
        lines.append(f"    ws.cell(r, {place}).value = round((ws.cell(r, 4).value or 0) * 0.05, 2)")
    else:
        have = _converted("ws.cell(r, 4).value", task, draft)
        lines.append(f"    low = {have} < ws.cell(r, 5).value")
        lines.append(f"    ws.cell(r, {place}).value = {quote}LOW{quote} if low else {quote}OK{quote}")
    return lines


def _summary(task: SheetTask, draft: Draft, style: str, source: str) -> list[str]:
    book = task.book
    by, of = book.column(task.by), book.column(task.of)
    lines = ["groups = {}"]
    if style == "cells":
        lines += [f"for r in range({book.first_row}, {source}.max_row + 1):", *_skipping(draft, source)]
        lines.append(f"    key = {source}.cell(r, {by + 1}).value")
        lines.append(f"    groups[key] = groups.get(key, 0) + {source}.cell(r, {of + 1}).value")
    else:
        lines.append(f"for row in {source}.iter_rows(min_row={book.first_row}, values_only=True):")
        if draft.skips_total:
            lines += ['    if row[0] == "Total":', "        continue"]
        lines.append(f"    groups[row[{by}]] = groups.get(row[{by}], 0) + row[{of}]")
    lines.append(f'out = wb.create_sheet("{task.header}")')
    if draft.odd != "no header":
        lines.append(f'out.append(["{task.by}", "{task.of}", "Share"])')
    lines.append("whole = sum(groups.values())")
    share = {"percent": "round(100 * amount / whole, 2)", "rounding": "round(amount / whole, 2)"}.get(
        draft.odd, "round(amount / whole, 4)"
    )
    order = "groups.items()" if draft.odd == "unsorted" else "sorted(groups.items(), key=lambda kv: -kv[1])"
    lines += [f"for key, amount in {order}:", f"    out.append([key, round(amount, 2), {share}])"]
    return lines


def _report(task: SheetTask, name: tuple[object, ...]) -> str:
    if task.figure:
        return pick(("print(answer)", "print(answer)", 'print("written", answer)'), *name, "report")
    if task.op == "summary":
        return "print(groups)"
    return pick(('print("done")', "print(ws.max_row)", 'print("filled")'), *name, "report")
