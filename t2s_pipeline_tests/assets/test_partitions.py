"""Ranges of partition keys: a run over a range covers everything between its two ends."""

from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.assets.partitions import (
    PARTITION_TAG,
    contiguous_ranges,
    keys_of_run,
    range_tags,
)

registered_and_wanted = st.lists(st.text("ab.0", min_size=1, max_size=4), unique=True).flatmap(
    lambda keys: st.tuples(st.just(keys), st.sets(st.sampled_from(keys) if keys else st.nothing()))
)


@given(registered_and_wanted, st.integers(1, 4))
def test_ranges_cover_exactly_the_wanted_keys(keys: tuple[list[str], set[str]], longest: int) -> None:
    """Law: expanding the tags of all ranges gives each wanted key once and no other."""
    registered, wanted = keys

    ranges = list(contiguous_ranges(registered, wanted, longest=longest))

    covered = [key for part in ranges for key in keys_of_run(range_tags(part), registered)]
    assert covered == [key for key in registered if key in wanted]
    assert all(len(part) <= longest for part in ranges)


def test_keys_that_are_not_registered_are_left_out() -> None:
    ranges = list(contiguous_ranges(["a", "b"], {"b", "c"}))

    assert ranges == [["b"]]


def test_a_run_of_one_partition_covers_that_partition() -> None:
    assert keys_of_run({PARTITION_TAG: "b"}, ["a", "b"]) == ["b"]


def test_a_run_over_another_partition_set_covers_nothing() -> None:
    assert keys_of_run({PARTITION_TAG: "some-skill"}, ["a", "b"]) == []
    assert keys_of_run({}, ["a", "b"]) == []
