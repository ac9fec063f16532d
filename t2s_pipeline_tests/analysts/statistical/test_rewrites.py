"""The piece of code that put a failed call right."""

from __future__ import annotations

import pytest

from t2s_pipeline.analysts.statistical.repairs import find_repairs
from t2s_pipeline_tests.builders import call, run_of, sql


def python(code, error=None):
    return call("run_python", {"code": code}, error or "done", failed=error is not None)


def rewrites(*steps, outcome="success"):
    """(before, after) of every piece that put the first failed call right."""
    repair = find_repairs(run_of(*steps, outcome=outcome))[0]
    return [(rewrite.before, rewrite.after) for rewrite in repair.rewrites]


MIXED = "TypeError: unsupported operand type(s) for +=: 'int' and 'str'"


def test_the_line_that_was_rewritten_is_found():
    before = "total = 0\nfor row in rows:\n    total += row[3]\nprint(total)"

    found = rewrites(python(before, MIXED), python(before.replace("row[3]", "float(row[3])")))

    assert found == [("total += row[3]", "total += float(row[3])")]


def test_the_clause_that_was_rewritten_is_found():
    query = "SELECT count(*) FROM orders WHERE day {} DATE '2024-01-01' AND open GROUP BY shop"

    found = rewrites(sql(query.format(">="), "Error: cast", failed=True), sql(query.format("::DATE >=")))

    assert found == [("WHERE day >= DATE '2024-01-01'", "WHERE day ::DATE >= DATE '2024-01-01'")]


def test_a_range_is_one_clause():
    query = "SELECT a FROM t WHERE {} BETWEEN 1 AND 2 AND b = 3"

    found = rewrites(sql(query.format("day"), "Error: cast", failed=True), sql(query.format("num(day)")))

    assert found == [("WHERE day BETWEEN 1 AND 2", "WHERE num(day) BETWEEN 1 AND 2")]


def test_a_clause_that_was_only_added_has_nothing_before_it():
    query = "SELECT shop, sum(paid) FROM orders"

    found = rewrites(sql(query, "Error: no group", failed=True), sql(f"{query} GROUP BY shop"))

    assert found == [("", "GROUP BY shop")]


def test_a_piece_is_told_as_it_stands_in_the_call_that_worked():
    code = "for row in rows:\n    picked.append({})"
    first = python(code.format("row[3]"), MIXED)
    second = python(code.format("float(row[3])"), "ValueError: could not convert string to float: '1,2'")
    third = python(code.format('float(row[3].replace(",", ""))'))

    assert rewrites(first, second, third) == [
        ("picked.append(row[3])", 'picked.append(float(row[3].replace(",", "")))')
    ]


def test_what_another_error_made_change_is_not_part_of_the_fix():
    code = "picked.append({})\nbook['{}'] = sum(picked)"
    first = python(code.format("row[3]", "D4"), MIXED)
    second = python(code.format("float(row[3])", "D4"), "AttributeError: 'MergedCell' is read-only")
    third = python(code.format("float(row[3])", "C4"))

    assert rewrites(first, second, third) == [("picked.append(row[3])", "picked.append(float(row[3]))")]


def test_a_long_line_is_cut_down_to_what_changed():
    long = " + ".join(f"column_{number}" for number in range(12))

    ((before, after),) = rewrites(
        python(f"x = {long} + {long}", MIXED), python(f"x = {long} + int(extra) + {long}")
    )

    assert before.startswith("… ") and before.endswith(" …")
    assert "int(extra)" in after and "int(extra)" not in before
    assert max(len(before), len(after)) <= 82


def test_code_written_anew_has_no_rewrite():
    old = "a = load('one')\nb = a.first\nc = b + 1\nd = c * 2\nprint(d)"
    new = "a = load('two')\nb = a.last\nc = b + 7\nd = c * 5\nprint(d)"

    assert rewrites(python(old, MIXED), python(new)) == []


@pytest.mark.parametrize(
    "piece", ["os.system('make')", "subprocess.run(['make'])", "eval(text)", "__import__('x').go()"]
)
def test_code_that_could_run_anything_is_not_told(piece):
    assert (
        rewrites(python("value = text\nprint(value)", MIXED), python(f"value = {piece}\nprint(value)")) == []
    )


def test_a_command_is_told_only_from_a_run_that_succeeded():
    steps = (
        call("bash", {"command": "sort -z names.txt"}, "sort: invalid option -- 'z'", failed=True),
        call("bash", {"command": "sort -u names.txt"}, "a"),
    )

    assert rewrites(*steps) == [("sort -z names.txt", "sort -u names.txt")]
    assert rewrites(*steps, outcome="unknown") == []
