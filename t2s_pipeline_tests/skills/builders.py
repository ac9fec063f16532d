"""Domain objects for the tests of this room: clusters of three trades, and a store that holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from t2s_pipeline.analysts.lesson import LessonKind, Section, Signature
from t2s_pipeline.consolidation.cluster import Cluster, Effect, Placement, RuleText, Support
from t2s_pipeline.settings import DataPaths, Settings
from t2s_pipeline.skills.publish import PublishReport, publish_learnt, publish_skill
from t2s_pipeline.skills.sources import ClusterEvidence, EvidenceQuote, Learnt
from t2s_pipeline.skills.versions import Versions
from t2s_pipeline.store.store import Store

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def cluster(
    headline: str,
    detail: str = "",
    *,
    skill: str = "airline-service-desk",
    section: Section = "tools",
    tool: str = "",
    kind: LessonKind = "repair",
    tasks: int = 3,
    traces: int = 5,
    occurrences: int | None = None,
    note: str = "",
    effect: tuple[float, float] | None = None,
    placement: Placement = "skill",
    key: str = "",
) -> Cluster:
    """A cluster with as many lessons as traces."""
    digits = hashlib.sha256(f"{skill}|{key or headline}|{section}|{tool}".encode()).hexdigest()[:16]
    return Cluster(
        cluster_id="c-" + digits,
        skill=skill,
        kind=kind,
        section=section,
        signature=Signature(pattern="refusal", tool=tool, trigger=key or headline[:40]),
        lesson_ids=tuple(sorted(f"l-{digits[:10]}{number:06d}" for number in range(traces))),
        support=Support(
            traces=traces,
            tasks=tasks,
            success=traces // 2,
            failure=traces - traces // 2,
            occurrences=occurrences if occurrences is not None else traces,
            effect=None
            if effect is None
            else Effect(
                success_with=effect[0], success_without=effect[1], strata=tasks, p_value=0.001, q_value=0.01
            ),
        ),
        text=RuleText(headline=headline, detail=detail, support_note=note),
        placement=placement,
        reason=f"{tasks} tasks",
    )


def learnt(skill: str, clusters: Iterable[Cluster], *, runs: int = 200, tasks: int = 50) -> Learnt:
    """What the writer gets from the store for these clusters, with a quote or two for each."""
    ordered = tuple(sorted(clusters, key=lambda item: item.cluster_id))
    evidence = {
        item.cluster_id: ClusterEvidence(
            quotes=tuple(
                EvidenceQuote(
                    trace_id=f"t-{item.cluster_id[2:10]}{number:08x}",
                    source_uri=f"inbox/{skill}/runs.json#/{number}",
                    first_step=number + 2,
                    last_step=number + 3,
                    quote=f"Error: attempt {number} was refused",
                )
                for number in range(min(2, item.support.traces))
            ),
            total=item.support.traces,
        )
        for item in ordered
    }
    return Learnt(
        skill=skill, clusters=ordered, evidence=evidence, runs=runs, tasks=tasks, succeeded=84, failed=116
    )


def airline(skill: str = "airline-service-desk") -> list[Cluster]:
    """A service desk with booking tools that refuse."""
    return [
        cluster(
            "`book_reservation` refuses payments that do not add up to the total",
            "Compute it before calling: seats × fare, plus 50 per extra bag, plus 30 per passenger for "
            "insurance; then split it so that the amounts in `payment_methods` sum to exactly that.",
            skill=skill, tool="book_reservation", tasks=6, traces=19, occurrences=24, note="refusals",
        ),
        cluster(
            "Pay with a gift card only what is left on it",
            "`get_user_details` shows the balance of each card; put the rest on another method.",
            skill=skill, tool="book_reservation", tasks=2, traces=8, occurrences=11, note="refusals",
        ),
        cluster(
            "A certificate cannot pay for a change of an existing reservation",
            "`update_reservation_flights` takes one credit card or gift card.",
            skill=skill, tool="update_reservation_flights", tasks=3, traces=4, occurrences=5, note="refusals",
        ),
        cluster(
            "Pass every segment of the trip to `update_reservation_flights`, also the unchanged ones",
            skill=skill, tool="update_reservation_flights", tasks=4, traces=9, occurrences=9, note="refusals",
        ),
        cluster(
            "Read the reservation before you promise anything about it",
            "`get_reservation_details` tells cabin, insurance and who paid; customers get them wrong.",
            skill=skill, section="workflow", tool="get_reservation_details", tasks=14, traces=60,
            effect=(0.58, 0.41), kind="preserve",
        ),
        cluster(
            "After a refusal, change the argument the message names and call again",
            "Runs that repeated the same call never got through.",
            skill=skill, section="recovery", tasks=9, traces=31, occurrences=47, note="repeated calls",
            kind="prune",
        ),
        cluster(
            "Do not search one-stop flights when a direct flight already fits",
            skill=skill, section="cost", tool="search_onestop_flight", tasks=7, traces=12, occurrences=20,
            note="searches", kind="prune",
        ),
        cluster(
            "`cancel_reservation` refuses when a segment has been flown",
            "Transfer to a human instead.",
            skill=skill, tool="cancel_reservation", tasks=1, traces=1, placement="reference",
        ),
        cluster("Say please", skill=skill, tasks=1, traces=1, placement="candidate"),
    ]  # fmt: skip


def sql() -> list[Cluster]:
    """Analytics in SQL."""
    skill = "sql-analytics"
    return [
        cluster(
            "Look at the schema before the first query",
            "`SHOW TABLES`, then `DESC <table>` for each table the question is about.",
            skill=skill, section="workflow", tool="sql", tasks=212, traces=1403, effect=(0.76, 0.61),
            kind="preserve",
        ),
        cluster(
            "When a query comes back with the same rows, change the query, not its formatting",
            "Check the join keys and the `WHERE` clause against the question instead.",
            skill=skill, section="recovery", tool="sql", tasks=88, traces=240, effect=(0.81, 0.07),
        ),
        cluster(
            "`Unknown column`: the column lives in another table",
            "Run `DESC` on the neighbours and join; do not guess spellings.",
            skill=skill, section="recovery", tool="sql", tasks=61, traces=133, occurrences=190, note="errors",
        ),
        cluster(
            "Quote aliases that are reserved words",
            "``SELECT COUNT(*) AS `rank` `` works, `AS rank` does not.",
            skill=skill, tool="sql", tasks=5, traces=9, occurrences=12, note="syntax errors",
        ),
        cluster(
            "Use `DISTINCT` when a join can repeat the asked value",
            skill=skill, tool="sql", tasks=19, traces=45, effect=(0.69, 0.55), kind="preserve",
        ),
        cluster(
            "Do not submit after an empty result without looking at the raw values",
            "`SELECT DISTINCT col FROM t LIMIT 20` shows how they are spelled.",
            skill=skill, section="workflow", tasks=17, traces=30, occurrences=30, note="empty submissions",
        ),
    ]  # fmt: skip


def coding() -> list[Cluster]:
    """An agent that repairs repositories in a shell."""
    skill = "repo-repair"
    return [
        cluster(
            "Reproduce the failure before editing",
            "Write the smallest script or test that shows it and run it.",
            skill=skill, section="workflow", tool="bash", tasks=31, traces=88, effect=(0.62, 0.38),
            kind="preserve",
        ),
        cluster(
            "Run the tests of the touched module after the last edit, not only before",
            "`python -m pytest <file> -x -q`.",
            skill=skill, section="workflow", tool="pytest", tasks=22, traces=70, effect=(0.66, 0.49),
        ),
        cluster(
            "`str_replace` refuses text that occurs more than once",
            "Take two or three lines around it into `old_str`.",
            skill=skill, tool="str_replace_editor", tasks=18, traces=40, occurrences=64, note="refusals",
        ),
        cluster(
            "`str_replace` compares whitespace: copy the lines from `view`, tabs included",
            skill=skill, tool="str_replace_editor", tasks=12, traces=25, occurrences=33, note="refusals",
        ),
        cluster(
            "`ModuleNotFoundError` after a checkout: install the project with `pip install -e .` first",
            skill=skill, section="recovery", tool="bash", tasks=9, traces=21, occurrences=21, note="errors",
        ),
        cluster(
            "Do not open the same file again and again; note the line numbers you need",
            skill=skill, section="cost", tool="cat", tasks=27, traces=66, occurrences=310, note="repeats",
            kind="prune",
        ),
    ]  # fmt: skip


class Desk:
    """A data root without a store, where the airline skill is published from clusters as given."""

    name = "airline-service-desk"

    def __init__(self, root: Path) -> None:
        self.paths = DataPaths(root)
        self.settings = Settings(data=root)
        self.clusters: Sequence[Cluster] = airline()

    def learn(self, clusters: Sequence[Cluster]) -> None:
        self.clusters = clusters

    def publish(self) -> PublishReport:
        return publish_learnt(self.paths, self.settings, learnt(self.name, self.clusters), now=NOW)

    @property
    def skill(self) -> Path:
        return self.paths.skills / self.name

    @property
    def page(self) -> str:
        return (self.skill / "SKILL.md").read_text()

    @property
    def body(self) -> str:
        return self.page.split("---", 2)[2]

    @property
    def versions(self) -> Versions:
        return Versions(self.paths, self.name)

    def rewrite(self, before: str, after: str) -> None:
        """Replace a piece of the published SKILL.md, as a person would in an editor."""
        assert before in self.page
        (self.skill / "SKILL.md").write_text(self.page.replace(before, after))


class Room:
    """A data root with a store in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.paths = DataPaths(root)
        self.settings = Settings(data=root)
        self.store = Store(self.paths)

    def learn(self, skill: str, clusters: Sequence[Cluster], *, runs: int = 40) -> None:
        """Put clusters, their lessons, quotes and traces into the store in place of what was there."""
        traces = pl.DataFrame([_trace_row(skill, number) for number in range(runs)])
        lessons, evidence, members = [], [], []
        for item in clusters:
            for number, lesson_id in enumerate(item.lesson_ids):
                trace_id = f"t-{skill}-{number % runs:05d}"
                lessons.append(_lesson_row(skill, item, lesson_id, trace_id))
                evidence.append(
                    {
                        "lesson_id": lesson_id,
                        "batch": f"{skill}-b1",
                        "trace_id": trace_id,
                        "first_step": 2,
                        "last_step": 3,
                        "quote": f"Error {number}: refused for {item.cluster_id}",
                    }
                )
                members.append({"cluster_id": item.cluster_id, "skill": skill, "lesson_id": lesson_id})
        self.store.replace(
            {"batch": f"{skill}-b1"},
            {"traces": traces, "lessons": pl.DataFrame(lessons), "evidence": pl.DataFrame(evidence)},
        )
        rows = pl.DataFrame([_cluster_row(item) for item in clusters])
        self.store.replace({"skill": skill}, {"clusters": rows, "cluster_lessons": pl.DataFrame(members)})

    def publish(self, skill: str) -> PublishReport:
        return publish_skill(self.store, self.paths, self.settings, skill, now=NOW)

    def skill(self, skill: str) -> Path:
        return self.paths.skills / skill


def _trace_row(skill: str, number: int) -> dict[str, object]:
    return {
        "trace_id": f"t-{skill}-{number:05d}",
        "batch": f"{skill}-b1",
        "skill": skill,
        "task_id": f"task-{number % 10}",
        "trial": str(number),
        "agent": "a",
        "format": "openai",
        "format_version": None,
        "uri": f"inbox/{skill}/chat.jsonl#L{number + 1}",
        "sha256": f"{number:064x}",
        "warnings": [],
        "status": "success" if number % 2 else "failure",
        "reward": None,
        "outcome_source": "verifier",
        "infra_error": False,
        "outcome_detail": None,
        "input_tokens": None,
        "output_tokens": None,
        "cached_tokens": None,
        "cost_usd": None,
        "n_steps": 4,
        "n_calls": 2,
        "header": "{}",
    }


def _lesson_row(skill: str, item: Cluster, lesson_id: str, trace_id: str) -> dict[str, object]:
    return {
        "lesson_id": lesson_id,
        "batch": f"{skill}-b1",
        "skill": skill,
        "trace_id": trace_id,
        "task_id": None,
        "outcome": "failure",
        "engine": "statistical",
        "analyst": "refusal",
        "kind": item.kind,
        "when_": "when",
        "do_": "do",
        "because": "because",
        "body": "{}",
    }


def _cluster_row(item: Cluster) -> dict[str, object]:
    return {
        "cluster_id": item.cluster_id,
        "skill": item.skill,
        "kind": item.kind,
        "section": item.section,
        "placement": item.placement,
        "reason": item.reason,
        "headline": item.text.headline,
        "traces": item.support.traces,
        "tasks": item.support.tasks,
        "success": item.support.success,
        "failure": item.support.failure,
        "occurrences": item.support.occurrences,
        "body": item.model_dump_json(),
    }
