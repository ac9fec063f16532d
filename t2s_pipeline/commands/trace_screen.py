"""What a person sees of the commands about single traces: what is held, released, forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from t2s_pipeline.commands.plain import plainly

if TYPE_CHECKING:
    # The commands themselves import what only they need.
    from t2s_pipeline.commands.forgetting import Receipt, SkillChange
    from t2s_pipeline.commands.holding import Held, Released

_HELD = 10
"""Held traces listed by `t2s status`."""

_RULE_LENGTH = 120
"""Characters of a rule that a receipt shows."""


def show_held(console: Console, held: Sequence[Held]) -> None:
    """The traces that wait for a person; nothing when there are none."""
    if not held:
        return
    say = plainly(console)
    say(f"\nHeld, because they speak to whoever reads them ({len(held):,}):")
    for trace in held[:_HELD]:
        say(f"  {trace.trace_id}  {trace.where}")
        for reason in trace.reasons:
            say(f"    {reason}")
    if len(held) > _HELD:
        say("  … all of them: t2s status --json")
    say("Nothing is learnt from them. After a look: `t2s release-trace TRACE`, or `t2s forget TRACE`.")


def show_released(console: Console, released: Released) -> None:
    """What may teach now."""
    say = plainly(console)
    for trace in released.traces:
        say(f"{trace.trace_id} is released by {released.by}: {trace.where}")
    for trace_id in released.not_held:
        say(f"{trace_id} is not held.")
    if released.batches:
        say("`t2s run` learns from what was released.")


def show_receipt(console: Console, receipt: Receipt) -> None:
    """What went, what became of the rules, and what this command cannot reach."""
    say = plainly(console)
    for trace in receipt.traces:
        say(f"{trace.trace_id} is forgotten (skill {trace.skill}, {trace.file})")
        for copy in trace.copies:
            say(f"  the same bytes are also {copy}; forget that too if they must go")
    counts = [f"{count:,} {table.replace('_', ' ')}" for table, count in receipt.rows.items()]
    say(f"Removed: {', '.join([*counts, f'{receipt.replies:,} stored model replies'])}.")
    for change in receipt.skills:
        _show_change(console, change)
    for sentence in receipt.reworded:
        say(f"\n{sentence}")
    say("\nLeft as it is:")
    for place in receipt.left:
        say(f"  {place}")


def _show_change(console: Console, change: SkillChange) -> None:
    say = plainly(console)
    was = "still" if change.before == change.after else f"{change.before or 'nothing'} →"
    say(f"\n{change.skill}: {was} {change.after}")
    if change.versions:
        say(f"  deleted versions: {', '.join(change.versions)}")
    gone = [rule for rule in change.rules if rule.after is None]
    other = [rule for rule in change.rules if rule.after is not None]
    for title, rules in (("disappeared", gone), ("changed", other)):
        if rules:
            say(f"  rules that {title} ({len(rules)}):")
        for rule in rules:
            for sign, text in (("-", rule.before), ("+", rule.after)):
                if text is not None:
                    say(f"    {sign} {_shortened(text)}")


def _shortened(text: str) -> str:
    """A rule with its end, which holds the counts."""
    text = text.strip().removeprefix("- ")
    half = _RULE_LENGTH // 2
    return text if len(text) <= _RULE_LENGTH else f"{text[:half]} … {text[-half:]}"
