"""What a person sees of the commands about single traces: what is held, released, forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from t2s_pipeline.commands.holding import Held, Released
from t2s_pipeline.commands.screen import plainly

_HELD = 10
"""Held traces listed by `t2s status`."""


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
