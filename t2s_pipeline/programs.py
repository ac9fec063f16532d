"""Programs of our own beside this one, for work that keeps a core busy.

Programs and not forks or spawned copies: they never run the code of whoever asks again, and inherit neither
threads nor locks.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from threading import Thread

from pydantic import BaseModel


def answers_of_programs(module: str, orders: Sequence[BaseModel]) -> Iterator[bytes]:
    """The lines that `python -m module` prints, one program for each order, all at the same time.

    Lines come in the order they are printed by whichever program. A program that fails prints no more lines,
    and its error goes to standard error: what is missing is for the caller, in whose hands the failure shows
    its cause. When the caller stops asking, the programs are stopped.
    """
    lines: SimpleQueue[bytes | None] = SimpleQueue()
    command = [sys.executable, "-m", module]
    with ExitStack() as running:
        programs = []
        for order in orders:
            program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            programs.append(running.enter_context(program))
            running.callback(program.kill)
            Thread(target=_ask, args=(program, order, lines), daemon=True).start()
        working = len(programs)
        while working:
            line = lines.get()
            if line is None:
                working -= 1
            else:
                yield line
        for program in programs:
            program.wait()


def _ask(program: subprocess.Popen[bytes], order: BaseModel, lines: SimpleQueue[bytes | None]) -> None:
    assert program.stdin is not None and program.stdout is not None
    try:
        # A program that dies before it has read its order prints nothing, which says enough.
        with suppress(BrokenPipeError), program.stdin:
            program.stdin.write(order.model_dump_json().encode())
        for line in program.stdout:
            lines.put(line)
    finally:
        lines.put(None)
