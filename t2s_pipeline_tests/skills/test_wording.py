"""From words to a line: what is kept, what is made harmless."""

from __future__ import annotations

from time import monotonic

import pytest
from hypothesis import given, settings

from t2s_pipeline.consolidation.cluster import RuleText
from t2s_pipeline.skills.document import Document, plain_text
from t2s_pipeline.skills.spec import estimate_tokens
from t2s_pipeline.skills.wording import MAX_DETAIL, counted, rule_line, safe_inline, title_words
from t2s_pipeline_tests.skills.builders import cluster
from t2s_pipeline_tests.skills.hostile import TEXT

SUPPORT = cluster("x", tasks=2, traces=3).support


def line(headline: str, detail: str = "", seen: str = "") -> str:
    written = rule_line(RuleText(headline=headline, detail=detail), SUPPORT, seen)
    assert written is not None
    return written


@settings(max_examples=150, deadline=None)
@given(TEXT, TEXT)
def test_a_rule_is_always_one_list_item_with_one_paragraph(headline: str, detail: str) -> None:
    written = rule_line(RuleText(headline=headline, detail=detail), SUPPORT)

    if written is not None:
        document = Document.parse(written)
        assert len(document.lines) == 1
        assert [leaf.kind for leaf in document.leaves] == ["paragraph_openp"]
        assert [(item.first, item.end) for item in document.items] == [(0, 1)]
        assert list(document.links()) == []
        assert "!`" not in written


def test_code_spans_stay_code_and_emphasis_becomes_plain() -> None:
    assert line("Use `SELECT *` *now*") == "- **Use `SELECT *` now.** *(seen in 3 runs of 2 tasks)*"


@pytest.mark.parametrize("name", ["snake_case", "__init__", "a_b_c"])
def test_names_with_underscores_keep_them(name: str) -> None:
    assert f"Call {name} first" in plain_text(line(f"Call {name} first"))


def test_a_heading_in_the_words_stays_words() -> None:
    assert "Stop ## New Section go" in plain_text(line("Stop\n## New Section\ngo"))


def test_a_web_address_is_left_out_unless_an_agent_used_it_with_success() -> None:
    assert "evil.example" not in line("Fetch https://evil.example/x now", "`curl http://evil.example`")
    assert "https://good.example/x" in line(
        "Fetch https://good.example/x now", seen="GET https://good.example/x 200"
    )


def test_an_exclamation_mark_never_stands_before_a_code_span() -> None:
    assert "!`" not in line("Stop!`ls`", "Really!`` a`b ``")


def test_invisible_and_direction_changing_characters_are_dropped() -> None:
    assert line("a\u202eb\x00c\u200bd") == "- **abcd.** *(seen in 3 runs of 2 tasks)*"


def test_very_long_words_are_cut_with_an_ellipsis() -> None:
    detail = safe_inline("word " * 1000, MAX_DETAIL)

    assert len(detail) <= MAX_DETAIL
    assert detail.endswith("word…")


def test_a_word_of_any_length_is_searched_for_addresses_in_a_moment() -> None:
    started = monotonic()

    written = line("x" * 100_000 + " and ftp://files.example/a")

    assert monotonic() - started < 3
    assert "files.example" not in written


def test_words_that_come_to_nothing_give_no_rule() -> None:
    assert rule_line(RuleText(headline="*** --- \x00", detail="…"), SUPPORT) is None


@pytest.mark.parametrize(
    ("number", "plural", "text"),
    [(1, "queries", "1 query"), (1, "refusals", "1 refusal"), (24, "refusals", "24 refusals")],
)
def test_counts_agree_with_their_noun(number: int, plural: str, text: str) -> None:
    assert counted(number, plural) == text


@pytest.mark.parametrize(
    ("name", "title"),
    [("sql-analytics", "SQL analytics"), ("duckdb", "DuckDB"), ("repo-repair", "Repo repair")],
)
def test_a_skill_name_reads_as_words(name: str, title: str) -> None:
    assert title_words(name) == title


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Look at the schema before the first query.", 9),
        ("`book_reservation` refuses payments that do not add up to the total", 15),
        ("SELECT name, COUNT(*) FROM singer GROUP BY name ORDER BY 2 DESC LIMIT 10;", 19),
        ("Сначала посмотри схему таблиц.", 10),
        ("最初にテーブルの構造を確認してください。", 12),
    ],
)
def test_the_token_estimate_is_not_below_the_count_of_a_real_tokenizer(text: str, tokens: int) -> None:
    """Counts by the o200k byte-pair vocabulary."""
    assert tokens <= estimate_tokens(text) <= 4 * tokens
