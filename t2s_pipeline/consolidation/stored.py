"""The lessons of a skill as the store has them, and back into it what they amount to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from t2s_pipeline.analysts.lesson import Lesson
from t2s_pipeline.consolidation.findings import exact_of
from t2s_pipeline.consolidation.result import Consolidation
from t2s_pipeline.store import queries
from t2s_pipeline.store.frames import clusters_frames, frame
from t2s_pipeline.store.store import Store


class StoredLessons(Mapping[str, Lesson]):
    """The lessons of a skill by id. A lesson is parsed when it is looked at: parsing all of them takes
    longer than finding out which matter.
    """

    def __init__(self, store: Store, skill: str) -> None:
        rows = queries.lesson_signatures(store, skill)
        self._bodies = rows["body"]
        self._row_of = dict(zip(rows["lesson_id"], range(rows.height), strict=True))
        self._parsed: dict[str, Lesson] = {}
        said = rows.filter("shown").drop("shown", "body")
        self.exact = exact_of((lesson_id, (*key,), coded) for lesson_id, *key, coded in said.iter_rows())
        """Those that have evidence, by their signatures."""
        self.unfounded = sorted(self._row_of.keys() - set(said["lesson_id"]))
        """Ids of those that have none."""

    def __getitem__(self, lesson_id: str) -> Lesson:
        lesson = self._parsed.get(lesson_id)
        if lesson is None:
            body = self._bodies[self._row_of[lesson_id]]
            lesson = self._parsed[lesson_id] = Lesson.model_validate_json(body)
        return lesson

    def __iter__(self) -> Iterator[str]:
        return iter(self._row_of)

    def __len__(self) -> int:
        return len(self._row_of)


def write_difference(store: Store, result: Consolidation) -> None:
    """Make the clusters and conflicts of a skill in the store those of `result`; what is there already is
    not written again.

    Raises:
        StoreBusy, StoreError: as the store does. A process that dies in between leaves conflicts and
            clusters of different consolidations, and the next one puts that right.
    """
    skill = result.skill
    conflicts = frame(
        "conflicts", ({"skill": skill, **conflict.model_dump()} for conflict in result.conflicts)
    )
    if not conflicts.equals(queries.conflicts_of_skill(store, skill)):
        store.replace({"skill": skill}, {"conflicts": conflicts})
    stored = queries.cluster_digests(store, skill)
    changed = [
        draft
        for draft in result.drafts
        if stored.get(draft.cluster_id) != (result.digests[draft.cluster_id], len(draft.finding.lesson_ids))
    ]
    outdated = {draft.cluster_id for draft in changed} | (stored.keys() - result.digests.keys())
    if outdated:
        rows = clusters_frames([draft.cluster for draft in changed])
        store.replace({"cluster_id": sorted(outdated)}, rows)
