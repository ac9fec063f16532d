"""The two partition sets of the graph, and ranges of their keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import dagster as dg

TRACE_BATCHES = "trace_batches"
SKILLS = "skills"

trace_batches = dg.DynamicPartitionsDefinition(name=TRACE_BATCHES)
"""Traces of one skill that landed together, up to `Settings.batch_traces` of them."""

skills = dg.DynamicPartitionsDefinition(name=SKILLS)
"""One per skill being learnt."""

# How Dagster marks a run over several partitions (documented for `dagster/asset_partition_range_*`).
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"

SHOWN_TAG = "t2s/batches"

MAX_RANGE = 64
"""Batches in one run: a run that dies is repeated whole, and its progress is seen at its end."""


def contiguous_ranges(
    registered: Sequence[str], wanted: Collection[str], *, longest: int = MAX_RANGE
) -> Iterator[list[str]]:
    """The wanted keys as runs of neighbours in partition order, because a range run covers everything
    between its two ends. Keys that are not registered are left out.
    """
    current: list[str] = []
    for key in registered:
        if key in wanted and len(current) < longest:
            current.append(key)
            continue
        if current:
            yield current
        current = [key] if key in wanted else []
    if current:
        yield current


def range_tags(keys: Sequence[str]) -> dict[str, str]:
    """Run tags that make a run cover a contiguous range of keys (one key is a range too). The list of runs
    in the UI hides those, so a tag of ours says it for people.
    """
    shown = keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"
    return {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1], SHOWN_TAG: shown}


def keys_of_run(tags: Mapping[str, str], registered: Sequence[str]) -> list[str]:
    """The keys a run with these tags covers; none when it belongs to another partition set."""
    first = tags.get(RANGE_START_TAG, tags.get(PARTITION_TAG))
    last = tags.get(RANGE_END_TAG, first)
    if first not in registered or last not in registered:
        return []
    return list(registered[registered.index(first) : registered.index(last) + 1])
