"""The three agents that edit workbooks: how they code, and how often they do what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Editor:
    """Habits as probabilities. None of them is always right or always wrong."""

    name: str
    style: Literal["rows", "cells", "lists"]
    inspects: float
    reads_head: float
    reads_tail: float
    reads_all: float
    """Reads the whole sheet instead of head and tail."""
    loads_twice: float
    """One copy for the values of formulas, one to write to."""
    saves_values: float
    """Otherwise: opens with data_only=True and saves that (against: opens plainly and meets formulas)."""
    skips_total: float
    """Leaves out the total row without having seen it."""
    forgets_save: float
    verifies: float
    checks_formulas: float
    """When it verifies: also looks whether a formula is still one."""
    repeats_refused: float
    re_reads: float
    """Reads the same rows again."""
    text_dates: float
    zero_based: float
    wrong_box: float
    misplaces: float
    """Writes the figure into the box of another row."""
    odd: float
    max_calls: int


MERIDIAN = Editor(
    name="meridian-pro", style="rows", inspects=0.85, reads_head=0.80, reads_tail=0.50, reads_all=0.06,
    loads_twice=0.58, saves_values=0.45, skips_total=0.45, forgets_save=0.16, verifies=0.58,
    checks_formulas=0.55, repeats_refused=0.05, re_reads=0.08, text_dates=0.40, zero_based=0.10,
    wrong_box=0.35, misplaces=0.24, odd=0.06, max_calls=14,
)  # fmt: skip
DASH = Editor(
    name="dash-lite", style="cells", inspects=0.40, reads_head=0.35, reads_tail=0.15, reads_all=0.25,
    loads_twice=0.32, saves_values=0.60, skips_total=0.30, forgets_save=0.28, verifies=0.34,
    checks_formulas=0.35, repeats_refused=0.45, re_reads=0.30, text_dates=0.65, zero_based=0.35,
    wrong_box=0.55, misplaces=0.30, odd=0.10, max_calls=11,
)  # fmt: skip
COBALT = Editor(
    name="cobalt-7b", style="lists", inspects=0.60, reads_head=0.55, reads_tail=0.30, reads_all=0.15,
    loads_twice=0.36, saves_values=0.50, skips_total=0.30, forgets_save=0.22, verifies=0.42,
    checks_formulas=0.45, repeats_refused=0.28, re_reads=0.18, text_dates=0.55, zero_based=0.20,
    wrong_box=0.45, misplaces=0.27, odd=0.08, max_calls=12,
)  # fmt: skip
