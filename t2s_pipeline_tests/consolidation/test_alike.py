"""The deletion look-up against the plain comparison of all pairs."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.consolidation.alike import Said, alike_pairs, join_alike, said_of
from t2s_pipeline.consolidation.wording import MAX_OMISSIONS, WORDS_PER_OMISSION, Wording, wording_of

phrase = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "not", "7"]), max_size=11).map(" ".join)
statements = st.lists(
    st.builds(
        lambda trigger, action: said_of((), trigger, wording_of(action)),
        phrase,
        st.sampled_from(["", "one two three four five", "one two four five"]),
    ),
    max_size=12,
)


def contains(longer: Wording, shorter: Wording) -> int | None:
    """How many words of `longer` are left out in `shorter`, or None when it says something else."""
    if longer.bounds != shorter.bounds:
        return None
    missing = len(longer.words) - len(shorter.words)
    if not 0 <= missing <= min(len(longer.words) // WORDS_PER_OMISSION, MAX_OMISSIONS):
        return None
    words = iter(longer.words)
    return missing if all(word in words for word in shorter.words) else None


def alike(one: Said, other: Said) -> bool:
    return any(
        contains(a.when, b.when) is not None and contains(a.what, b.what) is not None
        for a, b in ((one, other), (other, one))
    )


@given(statements)
def test_the_pairs_found_are_those_that_a_comparison_of_all_pairs_finds(said: list[Said]) -> None:
    expected = [(a, b) for a, b in combinations(range(len(said)), 2) if alike(said[a], said[b])]

    assert alike_pairs(said) == expected


@given(statements)
def test_in_a_group_every_pair_is_alike(said: list[Said]) -> None:
    groups = join_alike(said)

    assert sorted(index for group in groups for index in group) == list(range(len(said)))
    assert all(alike(said[a], said[b]) for group in groups for a, b in combinations(group, 2))
