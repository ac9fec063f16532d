from pathlib import Path

from t2s_pipeline.consolidation.nodes import NodeFiles, node_key


def test_a_key_is_that_of_children_and_maker() -> None:
    key = node_key("finding", ["l-1", "l-2"], "llm", "1")

    assert key == node_key("finding", ["l-1", "l-2"], "llm", "1")
    assert (
        len({key, node_key("finding", ["l-1"], "llm", "1"), node_key("finding", ["l-1", "l-2"], "llm", "2")})
        == 3
    )


def test_an_answer_is_there_for_the_next_process_and_leaves_nothing_else(tmp_path: Path) -> None:
    NodeFiles(tmp_path).put("ab12", b"{}")

    assert NodeFiles(tmp_path).get("ab12") == b"{}"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab12.json"]


def test_what_was_not_asked_for_is_dropped(tmp_path: Path) -> None:
    earlier = NodeFiles(tmp_path)
    for key in ("ab12", "ab34"):
        earlier.put(key, b"{}")
    (tmp_path / "ab" / "killed.part").write_bytes(b"{")

    now = NodeFiles(tmp_path)
    now.get("ab12")
    now.drop_unused()

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab12.json"]
