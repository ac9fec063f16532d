"""A new skill from what was learnt: SKILL.md, and references for what does not belong on the first page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from t2s_pipeline import __version__
from t2s_pipeline.analysts.lesson import Section
from t2s_pipeline.skills.document import Document, plain_text, without_ending
from t2s_pipeline.skills.edits import Patch
from t2s_pipeline.skills.frontmatter import set_keys
from t2s_pipeline.skills.lineage_file import Written
from t2s_pipeline.skills.rules import (
    SECTION_TITLES,
    SECTIONS,
    Rule,
    by_tool,
    make_rules,
    of_section,
    route,
    tool_label,
)
from t2s_pipeline.skills.sources import Learnt
from t2s_pipeline.skills.spec import (
    MAX_BODY_LINES,
    MAX_BODY_TOKENS,
    MAX_OWN_DESCRIPTION,
    MAX_REFERENCE_LINES_WITHOUT_CONTENTS,
    REFERENCES,
)
from t2s_pipeline.skills.tree import NO_VERSION, SKILL_FILE, FileBody
from t2s_pipeline.skills.wording import counted, safe_inline, title_words, visible

GENERATOR = f"t2s-pipeline {__version__}"

STRUCTURE_LINES = 60
STRUCTURE_TOKENS = 700
"""Room kept for headings, the introduction, blank lines and links to references."""

REFERENCES_TITLE = "Rarer cases"
LINK_OPENING = "- Read ["
"""How every line begins that links to a reference of ours."""

_MOST_TOOLS = 3
_MOST_POINTS = 3
_ANY_TASK = frozenset(("submit", "finish", "done", "exit", "think"))
"""Names of tools that say nothing about the work."""
_POINT_LENGTH = 110
"""Tools and rules named in a description, and characters of a rule there."""


@dataclass(frozen=True)
class Generated:
    """A skill as the pipeline alone would write it: no lineage file yet, the version still blank."""

    files: dict[str, FileBody]
    written: tuple[Written, ...]
    structure: tuple[str, ...]
    """Lines of ours that are no rules."""
    description: Literal["generated", "base"]
    based_on: Literal["nothing", "base skill"]
    problems: tuple[str, ...]
    patch: Patch | None = None


def create_skill(learnt: Learnt) -> Generated:
    """A skill directory from nothing but what was learnt."""
    made = make_rules(learnt)
    routed = route(
        made.rules,
        lines=MAX_BODY_LINES - STRUCTURE_LINES,
        tokens=MAX_BODY_TOKENS - STRUCTURE_TOKENS,
    )
    references = reference_files(routed.references, taken=())
    body = [f"# {title_words(learnt.skill)}", "", introduction(learnt, bool(made.rules)), ""]
    for section in SECTIONS:
        rules = of_section(routed.skill, section)
        if rules:
            body += [f"## {SECTION_TITLES[section]}", "", *rule_list(rules, 3), ""]
    if references:
        body += [f"## {REFERENCES_TITLE}", "", *(reference.link for reference in references), ""]
    document = set_keys(
        Document.parse("\n".join(body[:-1]) + "\n"),
        {
            "name": learnt.skill,
            "description": describe(learnt.skill, made.rules, learnt.tools),
            "metadata": provenance(learnt),
        },
    )
    files = {SKILL_FILE: FileBody(document.to_bytes())}
    files |= {reference.path: FileBody(reference.text.encode()) for reference in references}
    written = [Written(rule.rule_id, rule.cluster.cluster_id, SKILL_FILE, rule.line) for rule in routed.skill]
    for reference in references:
        written += reference.written()
    return Generated(
        files=files,
        written=tuple(written),
        structure=structure_lines(files, written, {}),
        description="generated",
        based_on="nothing",
        problems=made.problems,
    )


def describe(skill: str, rules: Sequence[Rule], used: Sequence[tuple[str, str]] = ()) -> str:
    """When to open the skill, its distinguishing clause first: the work, the tools, then the main rules.

    `rules` come best supported first; `used` are the tools of the runs with their kinds, most used first.
    """
    title = title_words(skill)
    tools = [tool for tool in _main_tools(rules, used) if tool.lower() not in title.lower().split()]
    if tools:
        text = f"{title}: tasks that use {_listed(tools)}. Use before the first call and when a call fails."
    else:
        text = f"{title} tasks. Use before starting one and when a step fails."
    points: list[str] = []
    for rule in rules:
        point = _point(rule)
        longer = f"{text} Main rules: {'; '.join([*points, point])}."
        if point and len(longer) <= MAX_OWN_DESCRIPTION and len(points) < _MOST_POINTS:
            points.append(point)
    return f"{text} Main rules: {'; '.join(points)}." if points else text


def _main_tools(rules: Sequence[Rule], used: Sequence[tuple[str, str]]) -> list[str]:
    """Tools by the number of rules about them, those with the best supported rule first among equals; after
    them the tools that most runs used. A language goes by the name of the tool that runs it.
    """
    tool_of = {kind: tool for tool, kind in reversed(used)}
    names = [tool_of.get(rule.tool, rule.tool) for rule in rules if rule.tool]
    ranked = [tool for tool, _ in Counter(names).most_common(_MOST_TOOLS)]
    ranked += [tool for tool, _ in used if tool not in _ANY_TASK] if rules else []
    labels = [_plain(tool_label(tool)) for tool in ranked]
    return [label for label in dict.fromkeys(labels) if label and len(label) <= 40][:_MOST_TOOLS]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _point(rule: Rule) -> str:
    """The headline as a clause: no Markdown, no capital unless the first word is a name, no full stop."""
    text = _plain(plain_text(safe_inline(rule.cluster.text.headline, 400))).rstrip(".!?…")
    if len(text) > _POINT_LENGTH:
        text = " ".join(re.sub(r"\s*\([^()]*\)", "", text).split())
    for mark, most in (("; ", 0), (": ", _POINT_LENGTH)):  # semicolons part the points themselves
        head = text.partition(mark)[0]
        whole = head.count("“") == head.count("”")
        if len(text) > most and len(head) >= 20 and whole:
            text = head
    if len(text) > _POINT_LENGTH:
        return ""
    starts_plain = re.match(r"[A-Z][a-z]+\b(?![_./(])", text)
    return text[:1].lower() + text[1:] if starts_plain else text


def _plain(text: str) -> str:
    """Without the characters that clients read as tags, or that end the frontmatter early."""
    return " ".join(re.sub(r"[<>`]", " ", visible(text)).replace("---", "–").split())


def introduction(learnt: Learnt, has_rules: bool) -> str:
    """From how much this was learnt, in one paragraph."""
    runs = counted(learnt.runs, "recorded runs")
    tasks = f" of {counted(learnt.tasks, 'tasks')}" if learnt.tasks else ""
    outcomes = (
        f" ({learnt.succeeded:,} succeeded, {learnt.failed:,} failed)"
        if learnt.succeeded + learnt.failed
        else ""
    )
    if not has_rules:
        return f"From {runs}{tasks}{outcomes}: nothing in them has enough support for a rule yet."
    return (
        f"Learnt from {runs}{tasks}{outcomes}. In each section the best supported rule comes first; "
        "the brackets say what it rests on."
    )


def provenance(learnt: Learnt) -> dict[str, str]:
    """The metadata of the frontmatter: who wrote this, which version, from how much."""
    return {
        "generator": GENERATOR,
        "version": NO_VERSION,
        "runs": str(learnt.runs),
        "tasks": str(learnt.tasks),
    }


def rule_list(rules: Sequence[Rule], level: int) -> list[str]:
    """List items; two and more rules about one tool stand below a heading of their own."""
    alone, groups = by_tool(rules)
    if len(groups) == 1 and not alone:
        return [rule.line for rule in groups[0][1]]
    lines = [rule.line for rule in alone]
    for tool, group in groups:
        lines += [*([""] if lines else []), f"{'#' * level} `{tool}`", "", *(rule.line for rule in group)]
    return lines


@dataclass(frozen=True)
class Reference:
    """A file in references/ with the line in SKILL.md that says when to read it."""

    path: str
    text: str
    link: str
    rules: tuple[Rule, ...]

    def written(self) -> list[Written]:
        return [Written(rule.rule_id, rule.cluster.cluster_id, self.path, rule.line) for rule in self.rules]


def reference_files(rules: Sequence[Rule], taken: Sequence[str]) -> list[Reference]:
    """One reference per section that has rules, under names that are not `taken`."""
    made = []
    for section in SECTIONS:
        chosen = of_section(rules, section)
        if chosen:
            path = f"{REFERENCES}/{section}.md"
            if path in taken:
                path = f"{REFERENCES}/learnt-{section}.md"
            while path in taken:
                path = path.removesuffix(".md") + "-more.md"
            many = counted(len(chosen), "rules")
            link = f"{LINK_OPENING}{path}]({path}) when {_occasion(section, chosen)} ({many})."
            made.append(Reference(path, _reference_text(section, chosen), link, tuple(chosen)))
    return made


def _occasion(section: Section, rules: Sequence[Rule]) -> str:
    tools = list(dict.fromkeys(label for rule in rules if (label := tool_label(rule.tool))))
    match section:
        case "workflow":
            return "this page does not settle how to go about a task"
        case "tools" if 0 < len(tools) <= 4:
            return f"{_one_of(tools)} refuses a call for a reason not listed here"
        case "tools":
            return "a tool refuses a call for a reason not listed here"
        case "recovery":
            return "a call fails in a way not listed here"
        case "cost":
            return "a run grows long or expensive"


def _one_of(tools: Sequence[str]) -> str:
    quoted = [f"`{tool}`" for tool in tools]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _reference_text(section: Section, rules: Sequence[Rule]) -> str:
    head = [
        f"# {SECTION_TITLES[section]}: rarer cases",
        "",
        "Rules with less support than those in SKILL.md, best supported first.",
        "",
    ]
    body = rule_list(rules, 2)
    if len(head) + len(body) > MAX_REFERENCE_LINES_WITHOUT_CONTENTS:
        alone, groups = by_tool(rules)
        entries = [f"- `{tool}`: {counted(len(group), 'rules')}" for tool, group in groups]
        if alone:
            body = ["## General", "", *body]
            entries.insert(0, f"- General: {counted(len(alone), 'rules')}")
        head += ["## Contents", "", *entries, ""]
    return "\n".join([*head, *body]) + "\n"


def structure_lines(
    files: dict[str, FileBody], written: Sequence[Written], base: dict[str, FileBody]
) -> tuple[str, ...]:
    """The lines of ours in `files` that are neither rules nor blank nor in the base skill."""
    rules = {item.text for item in written}
    found: set[str] = set()
    for path, body in files.items():
        if path.endswith(".md"):
            document = Document.parse(body.data)
            known = set(map(without_ending, Document.parse(base[path].data).lines)) if path in base else set()
            lines = {without_ending(line) for line in document.lines[document.body_start :] if line.strip()}
            found |= lines - known - rules
    return tuple(sorted(found))
