"""Calls reduced to what they do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.analysts.statistical.actions import abstract, python, sql
from t2s_pipeline.analysts.statistical.actions.sql import INSPECTS, UNPARSED


def test_sql_is_named_by_statement_and_described_by_clauses():
    action = abstract("run_sql", {"query": "SELECT DISTINCT name FROM t WHERE status = 'open' LIMIT 1"})

    assert (action.kind, action.name) == ("sql", "SELECT")
    assert {"DISTINCT", "LIMIT 1", "a filter on `status`"} <= set(action.features)


def test_ways_of_looking_at_a_schema_share_a_feature():
    for query in (
        "DESC t",
        "SHOW TABLES",
        "PRAGMA table_info('t')",
        "SELECT * FROM information_schema.tables",
    ):
        assert INSPECTS in abstract("sql", {"query": query}).features


def test_literals_do_not_change_the_action():
    first = abstract("sql", {"query": "SELECT a FROM t WHERE b = 'x' AND c > 10"})
    second = abstract("sql", {"query": "SELECT a FROM t WHERE b = 'another value' AND c > 99"})

    assert first.features == second.features


def test_a_sum_over_a_plain_join_is_told_from_one_that_aggregates_first():
    plain = "SELECT SUM(o.total) FROM orders o JOIN items i ON i.order_id = o.id"
    first = "SELECT SUM(t) FROM (SELECT k, SUM(total) t FROM orders GROUP BY k) JOIN x USING (k)"

    assert "SUM() directly over a JOIN" in abstract("sql", {"query": plain}).features
    assert "SUM() directly over a JOIN" not in abstract("sql", {"query": first}).features


def test_shell_is_named_by_program_and_sub_command():
    action = abstract("bash", {"command": "cd /srv && git commit -m 'x' | tee log"})

    assert (action.kind, action.name) == ("shell", "git commit")
    assert "`tee`" in action.features


def test_a_command_list_is_read_as_its_script():
    assert abstract("shell", {"command": ["bash", "-lc", "ls -la"]}).name == "ls"


def test_python_is_described_by_its_calls_and_their_choices():
    action = abstract(
        "run_python", {"code": "wb = load_workbook('a.xlsx', data_only=True)\nwb.save('a.xlsx')"}
    )

    assert action.kind == "python"
    assert {"`load_workbook()`", "`load_workbook(data_only=True)`", "`.save()`"} <= set(action.features)


def test_the_line_that_has_a_feature_can_be_shown():
    code = "wb = load_workbook('a.xlsx')\nwhile rows:\n    if row[0] == 'Total':\n        break\nwb.save('b')"

    assert python.snippet(code, "a check for `Total`") == "if row[0] == 'Total':"
    assert python.snippet(code, "`load_workbook()` without `data_only`") == "wb = load_workbook('a.xlsx')"
    assert python.snippet(code, python.SAVES) == "wb.save('b')"
    assert python.snippet(code, "`sum()`") is None
    assert python.snippet("no python", python.SAVES) is None


def test_the_columns_of_a_distinct_selection_are_shown():
    query = "SELECT count(*) FROM (SELECT DISTINCT shop FROM orders)"

    assert sql.snippet(query, "DISTINCT") == "SELECT DISTINCT shop FROM …"


def test_the_tables_of_a_query_are_those_it_reads():
    query = "WITH late AS (SELECT id FROM Orders) SELECT * FROM late JOIN shops USING (id)"

    assert sql.tables(query) == {"orders", "shops"}
    assert sql.tables("this is not SQL (") == set()


def test_other_tools_are_named_and_their_choices_kept():
    action = abstract("book", {"cabin": "economy", "user_id": "u_12", "insurance": True})

    assert action.name == "book"
    assert "`book` with `cabin` = `economy`" in action.features
    assert not any("u_12" in feature for feature in action.features)


@given(
    st.sampled_from(["run_sql", "bash", "python", "thing"]),
    st.dictionaries(st.sampled_from(["query", "command", "code", "x"]), st.text(max_size=200), max_size=3),
)
def test_no_call_is_too_odd_to_abstract(tool, arguments):
    """Law: every call has an action, and the same call the same action."""
    assert abstract(tool, arguments) == abstract(tool, dict(arguments))


def test_a_statement_that_nobody_wrote_by_hand_is_not_parsed():
    conditions = " AND ".join(f"c{number} > 1" for number in range(3_000))

    action = abstract("run_sql", {"query": f"SELECT a FROM t WHERE {conditions}"})

    assert (action.name, action.features) == ("SELECT", (UNPARSED,))


def test_a_call_without_options_is_told_by_those_that_others_give():
    features = [python.plain("load_workbook()"), python.plain("save()"), "`load_workbook(data_only=True)`"]

    told = python.by_options([*features, "`load_workbook(keep_vba=True)`"])

    assert told == {
        features[0]: "`load_workbook()` without `data_only` or `keep_vba`",
        features[1]: None,
    }
