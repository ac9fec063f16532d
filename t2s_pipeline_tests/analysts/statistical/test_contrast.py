"""Which habits become findings."""

from __future__ import annotations

import numpy as np

from t2s_pipeline.analysts.statistical.actions.python import READS, SAVES
from t2s_pipeline.analysts.statistical.comparison import SkillRuns
from t2s_pipeline.analysts.statistical.contrast import find_contrasts
from t2s_pipeline.analysts.statistical.habits import RunActions


def acted(*names, failed=()):
    n = len(names)
    return RunActions(
        names=names,
        kinds=("other",) * n,
        features=((),) * n,
        step_ids=tuple(range(1, n + 1)),
        failed=tuple(name in failed for name in names),
        after_user=(False,) * n,
    )


def skill_runs(rows):
    tasks, agents, success, actions = zip(*rows, strict=True)
    return SkillRuns(
        trace_ids=[f"t-{i:04}" for i in range(len(rows))],
        tasks=tasks,
        agents=agents,
        success=np.array(success, bool),
        actions=actions,
    )


def found(rows):
    return find_contrasts(skill_runs(rows), max_fdr=0.05, min_strata=8)


def test_a_check_that_separates_attempts_at_the_same_task_is_found():
    rows = []
    for task in range(20):
        for attempt in range(4):
            checks = attempt % 2 == 0
            names = ("open", "write", "verify", "submit") if checks else ("open", "write", "submit")
            rows.append((f"task{task}", "a", checks, acted(*names)))

    findings = found(rows)

    assert findings
    assert findings[0].habit.action == "verify" and not findings[0].harmful
    assert len(findings[0].pairs) == 20


def test_one_attempt_per_task_gives_no_finding():
    rows = [
        (f"task{i}", "a", i % 2 == 0, acted(*(("open", "verify") if i % 2 == 0 else ("open",))))
        for i in range(200)
    ]

    assert found(rows) == []


def test_a_call_that_only_hard_tasks_need_is_not_a_finding():
    rng = np.random.default_rng(1)
    rows = []
    for task in range(60):
        hard = task % 2 == 0
        for _ in range(4):
            good = rng.random() < (0.3 if hard else 0.9)
            names = ("look", "book", "done") if hard else ("look", "done")
            rows.append((f"task{task}", "a", good, acted(*names)))

    assert found(rows) == []


def test_what_failing_runs_do_because_they_go_on_longer_is_not_called_harmful():
    rows = []
    for task in range(40):
        for attempt in range(4):
            good = attempt < 2
            names = ("query", "submit") if good else ("query", "query2", "peek", "peek", "submit")
            rows.append((f"task{task}", "a", good, acted(*names)))

    assert not any(finding.harmful and finding.habit.action == "peek" for finding in found(rows))


def test_what_makes_a_first_call_work_is_found_as_a_precondition():
    rows = []
    for task in range(30):
        for attempt in range(4):
            looked = attempt % 2 == 0
            names = ("describe", "query") if looked else ("query", "describe", "retry")
            failed = () if looked else ("query",)
            rows.append((f"task{task}", "a", True, acted(*names, failed=failed)))

    findings = found(rows)

    assert [(f.family, f.habit.action, f.habit.other) for f in findings] == [("works", "describe", "query")]


def programs(*steps):
    """A run of programs, each told by its features."""
    n = len(steps)
    return RunActions(
        names=("load()",) * n,
        kinds=("python",) * n,
        features=steps,
        step_ids=tuple(range(1, n + 1)),
        failed=(False,) * n,
        after_user=(False,) * n,
    )


def test_a_check_of_the_result_is_found_beside_what_it_makes_the_result_contain():
    """Runs that look at what they saved notice the total row; whether it is left out decides everything."""
    skips = "a check for `Total`"
    rows = []
    for task in range(30):
        for attempt in range(8):
            checks = attempt % 2 == 0
            good = checks or attempt < 4
            saved = (SAVES, skips) if good else (SAVES,)
            steps = [(READS,), (SAVES,), saved] + [(READS,)] * checks
            rows.append((f"task{task}", "a", good, programs(*steps)))

    findings = found(rows)

    assert {(f.habit.kind, f.habit.action) for f in findings} == {("answer", skips), ("after", READS)}
    assert not any(f.harmful for f in findings)


def test_noise_rarely_gives_findings():
    """With nothing to find, the false discovery rate keeps findings rare: none in ten worlds here."""
    names = ["a", "b", "c", "d", "e"]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rows = []
        for task in range(40):
            for _ in range(4):
                chosen = [name for name in names if rng.random() < 0.5] or ["a"]
                rng.shuffle(chosen)
                rows.append((f"task{task}", "a", bool(rng.random() < 0.5), acted(*chosen)))
        assert found(rows) == []
