"""Clusters as rules: a stable id, a line of Markdown, a rank, and a place in the skill."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from t2s_pipeline.analysts.lesson import Section
from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.skills.sources import Learnt
from t2s_pipeline.skills.spec import estimate_tokens
from t2s_pipeline.skills.wording import rule_line

SECTIONS: tuple[Section, ...] = ("workflow", "tools", "recovery", "cost")
SECTION_TITLES: dict[Section, str] = {
    "workflow": "How to work",
    "tools": "What the tools accept and refuse",
    "recovery": "When a call fails",
    "cost": "What costs and does not help",
}
RULES_PER_SECTION = 16
"""More rules than this in one section are not read; the least supported ones go to a reference."""


@dataclass(frozen=True)
class Rule:
    """One cluster in the words of the skill."""

    rule_id: str
    cluster: Cluster
    line: str

    @property
    def section(self) -> Section:
        return self.cluster.section

    @property
    def tool(self) -> str:
        return self.cluster.signature.tool

    @property
    def tokens(self) -> int:
        return estimate_tokens(self.line) + 1


@dataclass(frozen=True)
class Routed:
    """Where the rules go, each list best supported first."""

    skill: tuple[Rule, ...]
    references: tuple[Rule, ...]


@dataclass(frozen=True)
class RulesMade:
    """The rules of a skill, best supported first, and the clusters that gave none."""

    rules: tuple[Rule, ...]
    problems: tuple[str, ...]


def rule_id_of(cluster: Cluster) -> str:
    """`r-` and the digits of the cluster: stable while lessons come and go."""
    return "r-" + cluster.cluster_id.removeprefix("c-")


def rank(cluster: Cluster) -> tuple[int, int, int, str]:
    """Sorts the best supported first: distinct tasks, then runs, then occurrences, then id."""
    support = cluster.support
    return (-support.tasks, -support.traces, -support.occurrences, cluster.cluster_id)


def make_rules(learnt: Learnt, marker: str = "-") -> RulesMade:
    """A rule for every cluster that is placed in the skill or a reference and has words."""
    rules, problems, seen = [], [], dict[str, str]()
    for cluster in sorted(learnt.clusters, key=rank):
        if cluster.placement == "candidate":
            continue
        evidence = learnt.evidence_of(cluster.cluster_id)
        line = rule_line(cluster.text, cluster.support, evidence.seen_in_successes, marker)
        if line is None:
            problems.append(f"Cluster {cluster.cluster_id} has no words to write a rule with.")
        elif line in seen:
            problems.append(f"Clusters {seen[line]} and {cluster.cluster_id} read the same; written once.")
        else:
            seen[line] = cluster.cluster_id
            rules.append(Rule(rule_id_of(cluster), cluster, line))
    return RulesMade(tuple(rules), tuple(problems))


def route(rules: Sequence[Rule], *, lines: int, tokens: int) -> Routed:
    """The best supported rules that fit into `lines` and `tokens` go to SKILL.md, the rest to references."""
    kept: list[Rule] = []
    moved: list[Rule] = []
    in_section = dict.fromkeys(SECTIONS, 0)
    for rule in rules:
        fits = rule.tokens <= tokens and lines >= 1 and in_section[rule.section] < RULES_PER_SECTION
        if rule.cluster.placement == "skill" and fits:
            kept.append(rule)
            tokens -= rule.tokens
            lines -= 1
            in_section[rule.section] += 1
        else:
            moved.append(rule)
    return Routed(tuple(kept), tuple(moved))


def of_section(rules: Iterable[Rule], section: Section) -> list[Rule]:
    """The rules of one section, in the order given."""
    return [rule for rule in rules if rule.section == section]


def by_tool(rules: Sequence[Rule]) -> tuple[list[Rule], list[tuple[str, list[Rule]]]]:
    """(rules that stand alone, groups of two and more rules about one tool), best supported first."""
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(tool_label(rule.tool), []).append(rule)
    shared = {tool for tool, group in groups.items() if tool and len(group) > 1}
    alone = [rule for rule in rules if tool_label(rule.tool) not in shared]
    return alone, [(tool, groups[tool]) for tool in groups if tool in shared]


def tool_label(tool: str) -> str:
    """A tool name fit for a heading or a sentence: letters, digits and the marks names are made of."""
    return " ".join(re.sub(r"[^\w.:/+ -]", " ", tool).split())[:60].strip()
