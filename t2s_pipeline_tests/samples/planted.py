"""What was planted in the traces, as the miner should find it again.

A rule stands for a planted mistake when every keyword group has a word in the rule's text; it contradicts
one when it contains a phrase of `must_not`. Upper and lower case do not matter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Planted:
    """One mistake or habit of the agents."""

    id: str
    kind: Literal["refused", "silent", "waste", "habit", "confounder"]
    description: str
    must_mention: tuple[tuple[str, ...], ...]
    """Keyword groups; a rule must have a word of each. Empty for confounders: no rule is wanted."""
    must_not: tuple[str, ...] = ()
    """Phrases that no rule may contain, because they advise the opposite."""


SQL = (
    Planted(
        "guessed-column",
        "refused",
        "Queries use column names that were guessed (order_date, quantity, price …); DuckDB's binder refuses "
        "them. Describe the table, or take the name from the candidates in the message.",
        (("column",), ("describe", "candidate", "schema", "exact name")),
        ("guess column names", "do not describe", "avoid describe", "skip the schema"),
    ),
    Planted(
        "text-date",
        "refused",
        "orders.placed_on is VARCHAR: comparing it with a DATE, or MONTH() of it, is refused until "
        "it is cast.",
        (("cast",), ("date", "varchar", "placed_on", "type")),
        ("avoid cast", "do not cast"),
    ),
    Planted(
        "missing-group-by",
        "refused",
        "A plain column beside an aggregate without GROUP BY is refused.",
        (("group by", "any_value"), ("aggregate", "column")),
        ("avoid group by", "do not group"),
    ),
    Planted(
        "decorated-answer",
        "refused",
        "submit_answer refuses values with a unit, a currency or a thousands separator.",
        (("submit_answer",), ("plain", "unit", "currency", "thousands", "bare")),
        ("avoid submit_answer", "do not call submit_answer"),
    ),
    Planted(
        "fan-out-sum",
        "silent",
        "A join to a table with several rows per order repeats the order's amounts, so SUM and AVG "
        "count them "
        "several times. Attempts that restrict by a subquery or aggregate in a CTE first succeed.",
        (
            (
                "subquery",
                "sub-query",
                "nested select",
                "cte",
                "with clause",
                "`with`",
                "in (select",
                "exists",
                "aggregate first",
                "before joining",
                "before the join",
            ),
        ),
        ("avoid subquer", "do not use subquer", "avoid nested", "avoid cte", "do not use cte"),
    ),
    Planted(
        "fan-out-count",
        "silent",
        "Counting orders, customers or products after a join counts the repeated rows; "
        "COUNT(DISTINCT key) is "
        "right.",
        (("distinct",),),
        ("avoid distinct", "do not use distinct", "avoid `distinct`", "avoid count(distinct"),
    ),
    Planted(
        "cancelled-orders",
        "silent",
        "Sales figures must leave out orders whose status is 'cancelled'; nothing in the question says so.",
        (("status", "cancelled"), ("filter", "exclude", "leave out", "condition", "where", "check", "look")),
        ("do not filter", "avoid filtering", "include cancelled"),
    ),
    Planted(
        "repeated-query",
        "waste",
        "The identical call is sent again right after it was refused, or after it was answered.",
        (("repeat", "again", "identical", "unchanged"), ("do not", "don't", "never", "stop", "avoid")),
        ("try the same query again", "retry the same"),
    ),
    Planted(
        "schema-first",
        "habit",
        "Attempts that describe the tables before the first query succeed more often, with fewer refusals.",
        (("describe", "schema", "columns"), ("before", "first", "start")),
        ("avoid describe", "do not describe", "skip describ"),
    ),
    Planted(
        "window-functions",
        "confounder",
        "Hard ranking questions need window functions and fail for other reasons; pooled over tasks window "
        "functions look harmful, within a task they are not.",
        (),
        (
            "avoid window",
            "do not use window",
            "avoid `over`",
            "avoid rank",
            "avoid lag",
            "avoid row_number",
            "instead of window",
            "without window",
            "avoid `window`",
            "avoid partition",
        ),
    ),
)

SHEETS = (
    Planted(
        "guessed-sheet-name",
        "refused",
        "Scripts and read_rows use a sheet name that was guessed; openpyxl raises KeyError "
        "'Worksheet … does not "
        "exist'. Look at the sheet names (inspect_workbook, wb.sheetnames) first.",
        (("sheet",), ("inspect", "sheetnames", "name", "exist")),
        ("guess the sheet", "avoid inspect_workbook", "do not call inspect_workbook"),
    ),
    Planted(
        "merged-cell",
        "refused",
        "Writing to any but the top-left cell of a merged range raises AttributeError: 'MergedCell' "
        "… read-only.",
        (("merged",),),
        ("write to the merged cell directly",),
    ),
    Planted(
        "one-based-index",
        "refused",
        "ws.cell(r, 0) raises ValueError: Row or column values must be at least 1.",
        (("at least", "from 1", "start at 1", "1-based", "column 1"),),
        ("column 0", "start at 0"),
    ),
    Planted(
        "strings-among-numbers",
        "refused",
        "Adding or comparing raises TypeError because cells hold strings: counts typed as '2,854', "
        "formula text "
        "like '=D4*E4', or the label of the total row. Convert, load values with data_only=True "
        "beside the plain "
        "copy, or skip the row.",
        (("typeerror", "unsupported operand", "not supported between", "strings", "convert"),),
        ("avoid `load_workbook(data_only", "avoid data_only", "never use data_only"),
    ),
    Planted(
        "date-against-text",
        "refused",
        "Comparing a date cell with a string raises TypeError; compare with datetime.",
        (("datetime",),),
    ),
    Planted(
        "formulas-lost",
        "silent",
        "Opening with data_only=True and saving that copy replaces every formula by a value. "
        "Attempts that write "
        "to a plainly loaded workbook (and read values from a second, data_only copy) succeed.",
        (
            ("data_only", "load_workbook"),
            ("without", "twice", "second", "two", "plain", "copy", "separate", "both", "not save", "formula"),
        ),
        ("always load with data_only", "save the data_only copy"),
    ),
    Planted(
        "not-saved",
        "silent",
        "The script changes the workbook in memory and never calls wb.save; nothing says so.",
        (("save",),),
        ("avoid wb.save", "do not save", "avoid `save`", "avoid calling `save`", "do not call `save`"),
    ),
    Planted(
        "total-row-counted",
        "silent",
        "The Total row below the data is summed, averaged, counted or filled like data. Attempts "
        "that skip it "
        "succeed.",
        (("total", "last row", "max_row"),),
        ("include the total row",),
    ),
    Planted(
        "verify-after-writing",
        "habit",
        "Attempts that re-open the saved file and print what they wrote find unsaved changes and "
        "lost formulas.",
        (
            (
                "re-open",
                "reopen",
                "open again",
                "load again",
                "verify",
                "check",
                "print",
                "read back",
                "re-read",
            ),
            ("after", "before submit", "saved", "written", "writing"),
        ),
        ("avoid verifying", "do not verify", "do not re-open", "skip verification"),
    ),
    Planted(
        "look-before-writing",
        "habit",
        "Attempts that read header and last rows (read_rows) before the first script succeed more often.",
        (("read_rows", "rows", "inspect_workbook", "look"), ("before", "first", "start")),
        ("avoid read_rows", "do not call read_rows", "skip read_rows"),
    ),
    Planted(
        "repeated-script",
        "waste",
        "The identical script is run again right after it was refused, or the same rows are read again.",
        (("repeat", "again", "identical", "unchanged"), ("do not", "don't", "never", "stop", "avoid")),
        ("retry the same", "run the same script again"),
    ),
    Planted(
        "new-sheets",
        "confounder",
        "Summary sheets are hard and fail for other reasons (order, header, share); pooled over "
        "tasks create_sheet "
        "looks harmful, within a task it is not.",
        (),
        (
            "avoid create_sheet",
            "avoid `create_sheet`",
            "do not call create_sheet",
            "do not use create_sheet",
            "avoid creating",
            "without create_sheet",
            "do not create a new sheet",
            "avoid `wb.create_sheet`",
        ),
    ),
)

PLANTED = {"spreadsheet-editing": SHEETS, "sql-analytics": SQL}


MADE_WITH = {"duckdb": "2.0.0", "openpyxl": "3.1.5"}
"""Versions whose words the committed samples carry; others may word an error differently."""


def covers(entry: Planted, rule: str) -> bool:
    """The rule says what was planted: it has a word of every group."""
    text = rule.lower()
    return all(any(word in text for word in group) for group in entry.must_mention)


def contradictions(entry: Planted, rules: Sequence[str]) -> list[str]:
    """The rules that advise against what was planted."""
    return [rule for rule in rules if any(phrase in rule.lower() for phrase in entry.must_not)]


def planted() -> str:
    """The side file: per skill, what was planted."""
    listed = {skill: [asdict(entry) for entry in entries] for skill, entries in PLANTED.items()}
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"
