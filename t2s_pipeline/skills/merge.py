"""Hand edits survive: three-way merge of a skill directory, rule by rule.

Three states: what the pipeline alone wrote last (ancestor), what lies on disk, what the pipeline alone
would write now (new). A rule a person rewrote stays as they wrote it; one they deleted stays out unless
the evidence is much stronger, and then it is proposed and not written; what they added stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from t2s_pipeline.consolidation.cluster import Cluster
from t2s_pipeline.errors import SkillInvalid
from t2s_pipeline.skills.cells import Alignment, Cells, align, merge_cells
from t2s_pipeline.skills.document import Document, resolve_link, without_ending
from t2s_pipeline.skills.frontmatter import read_frontmatter, set_keys
from t2s_pipeline.skills.hosts import said_already
from t2s_pipeline.skills.lineage_file import Lineage, RuleState, Withheld, Written
from t2s_pipeline.skills.tree import LINEAGE_FILE, SKILL_FILE, FileBody, SkillTree, without_version
from t2s_pipeline.skills.writer import LINK_OPENING

MUCH_STRONGER = 2
"""Times the tasks (without tasks: the runs) a deleted rule must have now to be proposed again."""


@dataclass(frozen=True)
class State:
    """A directory as the pipeline wrote it, and the rules in it."""

    files: SkillTree
    written: tuple[Written, ...]

    @classmethod
    def of(cls, files: SkillTree, lineage: Lineage) -> State:
        """A stored version, its rules taken from its lineage."""
        return cls(
            files,
            tuple(
                Written(rule.rule_id, rule.cluster_id, rule.path, rule.text, rule.state, rule.generated)
                for rule in lineage.rules
            ),
        )

    def cells(self, path: str) -> Cells:
        rules = {
            rule.text: rule.rule_id for rule in self.written if rule.path == path and rule.state == "written"
        }
        return _cells(self.files, path, rules)


@dataclass(frozen=True)
class Merged:
    """The new directory with the person's edits kept."""

    files: dict[str, FileBody]
    written: tuple[Written, ...]
    withheld: tuple[Withheld, ...]
    proposals: tuple[Withheld, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _HandWork:
    """What a person did to the rules of the ancestor."""

    alignments: Mapping[str, tuple[Cells, Cells, Alignment]]
    """By file: what was generated, what is on disk, and which line is which. Only files they changed."""
    rewritten: Mapping[str, tuple[str, str, RuleState]]
    """Rule to the file and line a person made of it, and whether it is a rewrite or their own words."""
    deleted: frozenset[str]
    changed_text: Mapping[tuple[str, str], str | None]
    """(file, line that is no rule) to the person's line; None when they deleted it."""


def merge_hand_edits(
    ancestor: State,
    published: Lineage,
    disk: SkillTree,
    new: State,
    clusters: Mapping[str, Cluster],
    *,
    min_tasks: int,
) -> Merged:
    """The new state with the person's edits in it.

    `published` is the lineage of the version that was put in place last: it remembers which rules were
    rewritten and which were deleted before. A deleted rule is proposed again when it has twice the tasks
    it had then, and `min_tasks` more.
    """
    disk = disk if SKILL_FILE in disk else {**disk, SKILL_FILE: ancestor.files[SKILL_FILE]}
    work = _hand_work(ancestor, published, disk)
    known = {rule.rule_id for rule in ancestor.written}
    withheld = _as_said_today(_withheld(work, published, ancestor, known), new, clusters)
    away = {item.rule_id for item in withheld}
    said = _said_by_hand(work, disk, [rule for rule in new.written if rule.rule_id not in known | away])
    pinned = {**work.rewritten, **said}
    gone = {path for path in ancestor.files if path not in disk}
    reduced = _without_rules(new, away, {rule: path for rule, (path, _, _) in pinned.items()}, set(said))
    files: dict[str, FileBody] = {}
    problems: list[str] = []
    for path in sorted({*ancestor.files, *disk, *new.files} - {LINEAGE_FILE}):
        body: FileBody | None
        if _same(path, ancestor.files, disk):
            body = reduced.files.get(path)
        elif _same(path, ancestor.files, new.files) or path in gone:
            body = disk.get(path)  # nothing new to say in this file
        else:
            body = _merged_file(path, ancestor, disk, reduced, work, problems)
        if body is not None:
            files[path] = body
    files[SKILL_FILE] = _without_links(files[SKILL_FILE], gone)
    written = _written(new, pinned, away, work, files)
    proposals = tuple(
        item for item in withheld if _much_stronger(item, clusters.get(item.cluster_id), min_tasks)
    )
    return Merged(files, written, withheld, proposals, tuple(problems))


def _cells(files: SkillTree, path: str, rules: Mapping[str, str]) -> Cells:
    document = _document(files, path)
    return Cells.of(document.lines[document.body_start :], rules)


def _document(files: SkillTree, path: str) -> Document:
    return Document.parse(without_version(path, files[path].data))


def _same(path: str, one: SkillTree, other: SkillTree) -> bool:
    """Whether a file is absent in both or, version aside, equal in both."""
    if path not in one or path not in other:
        return path not in one and path not in other
    left, right = one[path], other[path]
    return left.executable == right.executable and without_version(path, left.data) == without_version(
        path, right.data
    )


def _hand_work(ancestor: State, published: Lineage, disk: SkillTree) -> _HandWork:
    remembered = {rule.rule_id: rule for rule in published.rules if rule.state != "written"}
    alignments: dict[str, tuple[Cells, Cells, Alignment]] = {}
    rewritten: dict[str, tuple[str, str, RuleState]] = {}
    gone: dict[str, str] = {}
    changed: dict[tuple[str, str], str | None] = {}
    for path in sorted(ancestor.files):
        if not path.endswith(".md") or _same(path, ancestor.files, disk):
            continue
        ours = ancestor.cells(path)
        theirs = _cells(disk, path, {}) if path in disk else Cells("", ())
        lines = {rule_id: rule.text for rule_id, rule in remembered.items() if rule.path == path}
        found = align(ours, theirs, lines)
        alignments[path] = (ours, theirs, found)
        for j, i in found.rewritten.items():
            cell, text = ours.cells[i], theirs.cells[j].text
            if cell.rule_id is None:
                changed[path, cell.text] = text
            else:
                before = remembered.get(cell.rule_id)
                state: RuleState = before.state if before and before.text == text else "hand_edited"
                rewritten[cell.rule_id] = (path, text, state)
        for i in found.deleted:
            cell = ours.cells[i]
            if cell.rule_id is None:
                changed[path, cell.text] = None
            else:
                gone[cell.rule_id] = cell.text
    added = {
        theirs.cells[j].text: path
        for path, (_, theirs, found) in alignments.items()
        for j in sorted(found.added)
    }
    for rule_id, text in list(gone.items()):
        if rule_id in remembered and remembered[rule_id].text in added:
            text = remembered[rule_id].text
        if text in added:  # carried over into another file
            rewritten[rule_id] = (added[text], text, "hand_edited")
            del gone[rule_id]
    confirmed_gone = {
        rule.rule_id
        for rule in ancestor.written
        if rule.state == "confirmed" and changed.get((rule.path, rule.text), rule.text) is None
    }
    return _HandWork(alignments, rewritten, frozenset({*gone, *confirmed_gone}), changed)


def _withheld(work: _HandWork, published: Lineage, ancestor: State, known: set[str]) -> tuple[Withheld, ...]:
    """Rules that stay out: those deleted now, and those deleted before that a person did not put back."""
    found = {item.rule_id: item for item in published.withheld if item.rule_id not in known}
    before = {item.rule_id: item for item in published.withheld}
    support = {rule.rule_id: rule.support for rule in published.rules}
    for rule in ancestor.written:
        if rule.rule_id not in work.deleted:
            continue
        counts = support.get(rule.rule_id)
        found[rule.rule_id] = before.get(rule.rule_id) or Withheld(
            rule_id=rule.rule_id,
            cluster_id=rule.cluster_id,
            text=rule.generated or rule.text,
            tasks=counts.tasks if counts else 0,
            traces=counts.traces if counts else 0,
        )
    return tuple(found[rule_id] for rule_id in sorted(found))


def _as_said_today(
    withheld: Iterable[Withheld], new: State, clusters: Mapping[str, Cluster]
) -> tuple[Withheld, ...]:
    """The rules that stay out in the words of today, or without words: the old ones may come from a trace
    that was forgotten since."""
    lines = {rule.rule_id: rule.generated or rule.text for rule in new.written}
    heads = {cluster_id: cluster.text.headline for cluster_id, cluster in clusters.items()}
    return tuple(
        item.model_copy(update={"text": lines.get(item.rule_id, heads.get(item.cluster_id, ""))})
        for item in withheld
    )


def _much_stronger(item: Withheld, cluster: Cluster | None, more: int) -> bool:
    if cluster is None or cluster.placement == "candidate":
        return False
    then, now = (item.tasks, cluster.support.tasks) if item.tasks else (item.traces, cluster.support.traces)
    return now >= MUCH_STRONGER * then and now >= then + more


def _said_by_hand(
    work: _HandWork, disk: SkillTree, fresh: Iterable[Written]
) -> dict[str, tuple[str, str, RuleState]]:
    """New rules that a line the person added says already."""
    lines = {rule.rule_id: rule.text for rule in fresh if rule.state == "written"}
    found: dict[str, tuple[str, str, RuleState]] = {}
    for path, (_, theirs, alignment) in work.alignments.items():
        if path not in disk:
            continue
        document = _document(disk, path)
        own = {theirs.cells[j].text for j in alignment.added}
        for rule_id, number in said_already(document, lines).items():
            text = without_ending(document.lines[number])
            if text in own:
                found.setdefault(rule_id, (path, text, "confirmed"))
    return found


def _without_rules(new: State, away: set[str], pinned: Mapping[str, str], said: set[str]) -> State:
    """The new state without the lines of rules that stay out or that a person keeps in another place."""
    drop: dict[str, set[str]] = {}
    for rule in new.written:
        if rule.state == "written" and (
            rule.rule_id in away or rule.rule_id in said or pinned.get(rule.rule_id, rule.path) != rule.path
        ):
            drop.setdefault(rule.path, set()).add(rule.text)
    files = dict(new.files)
    for path, texts in drop.items():
        document = Document.parse(files[path].data)
        lines = [line for line in document.lines if without_ending(line) not in texts]
        files[path] = replace(files[path], data=document.with_lines(lines).to_bytes())
    return State(files, new.written)


def _without_links(page: FileBody, gone: set[str]) -> FileBody:
    """SKILL.md without our lines that link to files a person deleted, and without a heading that had
    nothing but such lines below it."""
    document = Document.parse(page.data)
    dead = {
        line
        for line, target in document.links()
        if resolve_link(SKILL_FILE, target) in gone and document.lines[line].startswith(LINK_OPENING)
    }
    for section in document.sections:
        text = {line for line in range(section.body, section.end) if document.lines[line].strip()}
        if text and text <= dead:
            dead |= set(range(section.first, section.end))
    lines = [line for number, line in enumerate(document.lines) if number not in dead]
    return replace(page, data=document.with_lines(lines).to_bytes()) if dead else page


def _merged_file(
    path: str,
    ancestor: State,
    disk: SkillTree,
    new: State,
    work: _HandWork,
    problems: list[str],
) -> FileBody | None:
    """A file that the person and the pipeline have both changed; None when it is not in the result."""
    if path not in disk or path not in new.files:
        return disk.get(path) or new.files.get(path)
    if not path.endswith(".md"):
        problems.append(f"{path} was changed by hand and by the pipeline; the hand-made one was kept.")
        return disk[path]
    theirs = _document(disk, path)
    if path not in work.alignments:
        ours, hand = Cells("", ()), _cells(disk, path, {})
        alignment = align(ours, hand, {})
    else:
        ours, hand, alignment = work.alignments[path]
    body = merge_cells(ours, hand, new.cells(path), alignment, theirs.newline)
    head = "".join(theirs.lines[: theirs.body_start])
    if path == SKILL_FILE:
        head = _merged_head(_document(ancestor.files, path), theirs, _document(new.files, path), problems)
    return FileBody((theirs.bom + head + body).encode("utf-8", "surrogateescape"), disk[path].executable)


def _head(document: Document) -> str:
    return "".join(document.lines[: document.body_start])


def _merged_head(ours: Document, theirs: Document, new: Document, problems: list[str]) -> str:
    """The frontmatter: a person's where they changed a key, ours where only we did."""
    if _head(theirs) == _head(ours):
        return _head(new)
    if _head(new) == _head(ours):
        return _head(theirs)
    try:
        before, hand, now = read_frontmatter(ours), read_frontmatter(theirs), read_frontmatter(new)
        values: dict[str, str | dict[str, str]] = {}
        for key, value in now.items():
            if isinstance(value, Mapping) and isinstance(hand.get(key), Mapping):
                old = before.get(key)
                was = old if isinstance(old, Mapping) else {}
                inner = {
                    k: str(v) for k, v in value.items() if v != was.get(k) and hand[key].get(k) == was.get(k)
                }
                if inner:
                    values[key] = inner
            elif isinstance(value, str) and value != before.get(key) and hand.get(key) == before.get(key):
                values[key] = value
        return _head(set_keys(theirs, values)) if values else _head(theirs)
    except SkillInvalid as error:
        problems.append(str(error))
        return _head(theirs)


def _written(
    new: State,
    pinned: Mapping[str, tuple[str, str, RuleState]],
    away: set[str],
    work: _HandWork,
    files: SkillTree,
) -> tuple[Written, ...]:
    """The rules that are in the merged files, each with the line that says it there."""
    lines = {
        path: set(map(without_ending, Document.parse(body.data).lines))
        for path, body in files.items()
        if path.endswith(".md")
    }
    found = []
    for rule in new.written:
        item = rule
        if rule.rule_id in pinned:
            path, text, state = pinned[rule.rule_id]
            item = replace(rule, path=path, text=text, state=state, generated=rule.generated or rule.text)
        elif rule.state == "confirmed":
            item = replace(rule, text=work.changed_text.get((rule.path, rule.text)) or rule.text)
        if rule.rule_id not in away and item.text in lines.get(item.path, ()):
            found.append(item)
    return tuple(found)
