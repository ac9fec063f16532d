"""The deletion look-up against the plain comparison of all pairs."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from t2s_pipeline.consolidation.alike import Said, compare, said_of
from t2s_pipeline.consolidation.wording import MAX_OMISSIONS, WORDS_PER_OMISSION, Wording, wording_of

phrase = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "not", "7"]), max_size=11).map(" ".join)
statements = st.lists(
    st.builds(
        lambda side, trigger, action: said_of((), (side,), trigger, wording_of(action)),
        st.sampled_from(["do", "do", "leave"]),
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


def same_words(one: Said, other: Said) -> bool:
    return (one.side, one.when, one.what) == (other.side, other.when, other.what)


@given(statements)
def test_the_pairs_across_sides_are_those_that_a_comparison_of_all_pairs_finds(said: list[Said]) -> None:
    first = [next(i for i, one in enumerate(said) if same_words(one, other)) for other in said]
    expected = {
        (min(first[a], first[b]), max(first[a], first[b]))
        for a, b in combinations(range(len(said)), 2)
        if said[a].side != said[b].side and alike(said[a], said[b])
    }

    assert compare(said).across == sorted(expected)


@given(statements)
def test_in_a_group_every_pair_is_alike_and_of_one_side(said: list[Said]) -> None:
    groups = compare(said).groups

    assert sorted(index for group in groups for index in group) == list(range(len(said)))
    assert all(alike(said[a], said[b]) for group in groups for a, b in combinations(group, 2))
    assert all(len({said[index].side for index in group}) == 1 for group in groups)


@given(statements)
def test_two_alike_are_apart_only_if_something_grouped_with_one_is_not_alike_the_other(
    said: list[Said],
) -> None:
    groups = compare(said).groups
    group_of = {index: set(group) for group in groups for index in group}

    for a, b in combinations(range(len(said)), 2):
        if said[a].side == said[b].side and alike(said[a], said[b]) and b not in group_of[a]:
            assert any(not alike(said[x], said[y]) for x in group_of[a] for y in group_of[b])
