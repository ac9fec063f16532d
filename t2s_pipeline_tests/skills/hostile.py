"""Words no skill should be written with, for property tests: Markdown, YAML, tags, tricks, other scripts."""

from __future__ import annotations

from hypothesis import strategies as st

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline_tests.skills.builders import cluster

PIECES = st.sampled_from(
    [
        *("# Heading", "\n## New Section\n", "---\nname: evil\n---\n", "```\ncode", "`", "``", "`a` `b`"),
        *("!`rm -rf /`", "` !`", "[click](http://evil.example/x)", "![i](file:///etc/passwd)", "<!-- hide"),
        *(
            "<script>alert(1)</script>",
            "<https://evil.example>",
            "https://evil.example/a?b=c.",
            "www.evil.example",
        ),
        *(
            "**bold",
            "*",
            "_",
            "__init__",
            "a*b*c",
            "snake_case",
            "- item",
            "1. item",
            "> quote",
            "[^1]",
            "~~x~~",
        ),
        *("| a | b |\n|---|---|", "\\", "\\*", "&amp;", "&#35;", "\u202eevil", "\x00", "\x1b[31m", "\u2028"),
        *("\ufeff", "\r\n", "\t", "日本語の規則", "правило", "عربي", "e\u0301", "👩\u200d👧", "---", "..."),
        *(
            "[ref]: http://x.example",
            "$ARGUMENTS",
            "{{ x }}",
            "'",
            '"',
            ": ",
            " #",
            "%YAML",
            "!!python/object",
        ),
        *("@file", "Use the tool", "do not", "first", "then stop.", "x" * 90),
    ]
)
TEXT = st.one_of(
    st.lists(PIECES, max_size=6).map(" ".join),
    st.lists(PIECES, max_size=6).map("".join),
    st.text(max_size=60),
    st.lists(PIECES, min_size=20, max_size=60).map(" ".join),
)


@st.composite
def hostile_clusters(draw: st.DrawFn, skill: str = "any-skill") -> list[Cluster]:
    """Up to a dozen clusters with any words at all."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        found.append(
            cluster(
                draw(TEXT),
                draw(TEXT),
                skill=skill,
                section=draw(st.sampled_from(["workflow", "tools", "recovery", "cost"])),
                tool=draw(st.one_of(st.sampled_from(["", "sql", "book_it"]), TEXT)),
                tasks=draw(st.integers(0, 30)),
                traces=draw(st.integers(1, 4)),
                occurrences=draw(st.integers(1, 4000)),
                note=draw(st.one_of(st.sampled_from(["", "refusals", "queries"]), TEXT)),
                effect=draw(st.one_of(st.none(), st.just((0.7, 0.4)), st.just((0.2, 0.9)))),
                placement=draw(st.sampled_from(["skill", "skill", "reference", "candidate"])),
                key=f"c{number}",
            )
        )
    return found
