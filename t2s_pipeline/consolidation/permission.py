"""Which clusters may not be said in a skill, because they name what no agent ran itself.

A rule's words come from traces and models. Every URL, host, command and script in them has to be found among
what agents ran in successful traces of the skill, and pass the operator's lists (`traces/permitted.py`); else
the cluster stays a candidate, with what is missing as its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.store.safety import commands_of_successes
from t2s_pipeline.store.store import Store
from t2s_pipeline.traces.permitted import (
    OwnCommands,
    PermittedConfig,
    allowed_in_skill,
    names_what_is_run,
    words_to_look_for,
)

Gate = Callable[[Sequence[Cluster]], Mapping[str, str]]
"""Of some clusters those that may not be said: cluster id and the reason, in words a person reads."""

Ran = Callable[[Sequence[str]], Iterable[Sequence[str]]]
"""What agents ran in successful traces, in pieces; only what has one of the given words is needed."""

_REASON_LENGTH = 240
_BARE_NAME = re.compile(r"\w[\w-]*")


def open_gate(clusters: Sequence[Cluster]) -> Mapping[str, str]:  # noqa: ARG001 - has to look like any Gate
    """Lets everything through: for lessons that come with no traces to compare them with."""
    return {}


def gate_of_skill(store: Store, skill: str, config: PermittedConfig) -> Gate:
    """The gate that knows what agents ran in the stored traces of a skill."""
    return lambda clusters: refusals(
        clusters, lambda words: commands_of_successes(store, skill, words), config
    )


def refusals(clusters: Sequence[Cluster], ran: Ran, config: PermittedConfig) -> dict[str, str]:
    """Why clusters may not be said, by id. Most name nothing that could be run: then nothing is read."""
    texts = {cluster.cluster_id: _text_of(cluster) for cluster in clusters}
    own_name = {tool: _own_name(tool) for tool in {cluster.signature.tool for cluster in clusters}}
    found = {
        cluster.cluster_id: allowed_in_skill(
            texts[cluster.cluster_id], own_name[cluster.signature.tool], config
        )
        for cluster in clusters
    }
    found = {cluster_id: problems for cluster_id, problems in found.items() if problems}
    if not found:
        return {}
    words = sorted({word for cluster_id in found for word in words_to_look_for(texts[cluster_id])})
    for commands in ran(words):
        own = OwnCommands(commands)
        for cluster_id, problems in found.items():
            left = set(allowed_in_skill(texts[cluster_id], own, config))
            found[cluster_id] = [problem for problem in problems if problem in left]
        if not any(found.values()):
            break
    return {cluster_id: _reason(problems) for cluster_id, problems in found.items() if problems}


def held_back(clusters: Iterable[Cluster], gate: Gate) -> tuple[list[Cluster], list[Cluster]]:
    """(the clusters that may stand where they are, those the gate makes candidates)."""
    given = list(clusters)
    reasons = gate([cluster for cluster in given if cluster.placement != "candidate"])
    allowed = [cluster for cluster in given if cluster.cluster_id not in reasons]
    refused = [
        cluster.model_copy(update={"placement": "candidate", "reason": reasons[cluster.cluster_id]})
        for cluster in given
        if cluster.cluster_id in reasons
    ]
    return allowed, refused


def needs_permission(cluster: Cluster) -> bool:
    """Whether a gate could hold the cluster back: its words name something that can be run."""
    return names_what_is_run(_text_of(cluster))


def _text_of(cluster: Cluster) -> str:
    """Everything of a cluster that gets into a skill."""
    text = cluster.text
    return "\n".join((text.headline, text.detail, text.support_note, cluster.signature.tool))


def _own_name(tool: str) -> OwnCommands:
    """The tool a cluster is about, as something the agent used itself: `bash` may be named where it is
    the name of a tool. Only a bare name, which is neither a host nor a command with arguments."""
    return OwnCommands((tool,) if _BARE_NAME.fullmatch(tool) else ())


def _reason(problems: Sequence[str]) -> str:
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    first = problems[0] if len(problems[0]) <= _REASON_LENGTH else f"{problems[0][: _REASON_LENGTH - 1]}…"
    return f"not permitted: {first}{more}"
