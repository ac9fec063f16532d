"""`t2s`: the command line. Results go to standard output, everything else to standard error.

Exit codes: 0 done (with a warning line when some input was set aside), 1 something failed or nothing could
be read, 2 the command was not understood, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import BaseModel

from t2s_pipeline.commands.plain import Console
from t2s_pipeline.errors import T2SError

if TYPE_CHECKING:
    from t2s_pipeline.pipeline import Pipeline
    from t2s_pipeline.settings import Settings

Found = TypeVar("Found", bound=BaseModel)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turns execution traces of agents into a skill directory in which every rule can be followed back "
    "to the trace steps that taught it.",
)


_INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


class EngineName(StrEnum):
    """Which analysts read the traces."""

    auto = "auto"
    statistical = "statistical"
    llm = "llm"


Data = Annotated[
    Path | None,
    typer.Option("--data", help="Root of everything read and produced. Default: data, or T2S_DATA."),
]
EngineOption = Annotated[
    EngineName | None,
    typer.Option(
        "--engine",
        help="llm asks a model; auto (the default) asks nobody and keeps what one has taught; statistical "
        "takes that out again.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Skill = Annotated[str, typer.Argument(help="The name of a skill, as `t2s status` lists them.")]
Traces = Annotated[
    list[str], typer.Argument(metavar="TRACE", help="Ids (their beginning is enough) or sources.")
]


def _whoever_calls() -> str:
    """The name of this user; empty where the system has none."""
    try:
        return getuser()
    except (OSError, KeyError):
        return ""


@app.command()
def run(
    skill: Annotated[str | None, typer.Option(help="Only this skill.")] = None,
    data: Data = None,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Read what is new in the inbox and bring the skills up to date."""
    from t2s_pipeline.commands.running import run as run_pipeline
    from t2s_pipeline.commands.screen import ScreenDisplay, show_run, show_setbacks

    pipeline = _pipeline(data, engine)
    errors = _terminal()
    try:
        summary = run_pipeline(pipeline, ScreenDisplay(errors), skill=skill)
    except KeyboardInterrupt:
        errors.print("Interrupted. What was finished stays; the next run does the rest.")
        raise typer.Exit(_INTERRUPTED) from None
    _tell(summary, lambda console, told: show_run(console, told, pipeline.paths), as_json)
    for failure in summary.failures:
        errors.print(f"Not finished: {failure}", style="red", markup=False, highlight=False)
    if summary.not_analysed:
        errors.print(
            f"Not analysed: {summary.not_analysed:,} of the traces; what was finished stays. "
            "`t2s status` lists the reasons.",
            style="red",
        )
        show_setbacks(errors, summary.reasons)
    if summary.nothing_readable:
        errors.print("None of the input could be read; `t2s status` lists the reasons.", style="red")
    elif summary.new_quarantined:
        errors.print(
            f"Warning: {summary.new_quarantined:,} of the files or records could not be read and are set "
            "aside; `t2s status` lists the reasons.",
            style="yellow",
        )
    failed = summary.failures or summary.not_analysed or summary.nothing_readable
    raise typer.Exit(1 if failed else 0)


@app.command()
def plan(
    skill: Annotated[str | None, typer.Option(help="Only this skill.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """What a run with the llm engine would ask and cost; nothing is asked."""
    from t2s_pipeline.commands.planning import plan as plan_of
    from t2s_pipeline.commands.screen import show_plan

    found = plan_of(_pipeline(data, EngineName.llm), skill=skill)
    _tell(found, show_plan, as_json)


@app.command()
def status(data: Data = None, engine: EngineOption = None, as_json: AsJson = False) -> None:
    """What there is of each skill, what is left to do, what could not be read, and what is held."""
    from t2s_pipeline.commands.screen import show_status
    from t2s_pipeline.commands.status import Status
    from t2s_pipeline.commands.status import status as status_of
    from t2s_pipeline.commands.trace_screen import show_held

    found = status_of(_pipeline(data, engine))

    def show(console: Console, told: Status) -> None:
        show_status(console, told)
        show_held(console, told.held)

    _tell(found, show, as_json)


@app.command()
def explain(
    place: Annotated[
        str, typer.Argument(metavar="PATH[:LINE]", help="A skill directory or a file in it, and a line.")
    ],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Why a line of a skill is there: its support, and the trace steps with their quotes."""
    from t2s_pipeline.commands.skill_screen import show_explanation
    from t2s_pipeline.skills.lineage import explain as explain_line
    from t2s_pipeline.skills.lineage import explains_itself

    path, line = _place(place)
    store = None
    if not explains_itself(path):
        store = _pipeline(data).store
    explanation = explain_line(path, line, store=store)
    _tell(explanation, lambda console, told: show_explanation(console, told, path), as_json)


@app.command()
def impact(
    trace: Annotated[str, typer.Argument(help="A trace by the beginning of its id, or by its source.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """What rests on a trace: the lessons it taught, and the lines of the skill that say them."""
    from t2s_pipeline.commands.impact import impact as impact_of
    from t2s_pipeline.commands.skill_screen import show_impact

    pipeline = _pipeline(data)
    found = impact_of(pipeline, trace)
    _tell(found, lambda console, told: show_impact(console, told, pipeline.paths.skills), as_json)


@app.command("release-trace")
def release_trace(
    traces: Traces,
    by: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Who says so; by default you.",
            default_factory=_whoever_calls,
            show_default=False,
        ),
    ],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Let held traces teach, after a person has looked at why they are held (`t2s status`)."""
    from t2s_pipeline.commands.holding import release
    from t2s_pipeline.commands.trace_screen import show_released

    done = release(_pipeline(data), traces, by=by, now=datetime.now(tz=UTC))
    _tell(done, show_released, as_json)


@app.command()
def forget(
    traces: Traces,
    data: Data = None,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Remove traces for good, with all that rests on them; their files do not bring them back."""
    from t2s_pipeline.assets.execution import executor
    from t2s_pipeline.commands.forgetting import forget as forget_traces
    from t2s_pipeline.commands.screen import ScreenDisplay
    from t2s_pipeline.commands.trace_screen import show_receipt

    pipeline = _pipeline(data, engine)
    errors, now = _terminal(), datetime.now(tz=UTC)
    with executor(pipeline.paths, now=now) as maker:
        showing = ScreenDisplay(errors).consolidating
        receipt = forget_traces(pipeline, traces, maker, now=now, showing=showing)
    _tell(receipt, show_receipt, as_json)
    for failure in receipt.failures:
        errors.print(f"Not finished: {failure}", style="red", markup=False, highlight=False)
    raise typer.Exit(1 if receipt.failures else 0)


@app.command()
def log(skill: Skill, data: Data = None, as_json: AsJson = False) -> None:
    """The versions of a skill, newest first, and which one is in place."""
    from t2s_pipeline.commands.history import log as log_of
    from t2s_pipeline.commands.skill_screen import show_log

    found = log_of(_pipeline(data), skill)
    _tell(found, show_log, as_json)


@app.command()
def diff(
    skill: Skill,
    before: Annotated[str | None, typer.Argument(metavar="A", help="Default: the version before B.")] = None,
    after: Annotated[str | None, typer.Argument(metavar="B", help="Default: what lies in place.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """What changed between two versions of a skill, named by their first digits."""
    from t2s_pipeline.commands.history import diff as diff_of
    from t2s_pipeline.commands.skill_screen import show_diff

    found = diff_of(_pipeline(data), skill, before, after)
    _tell(found, show_diff, as_json)


@app.command()
def rollback(
    skill: Skill,
    version: Annotated[str | None, typer.Argument(help="Its first digits. Default: the one before.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Put an earlier version of a skill in place; unpublished hand edits are kept as a version."""
    from t2s_pipeline.commands.history import rollback as roll_back
    from t2s_pipeline.commands.skill_screen import show_rollback

    done = roll_back(_pipeline(data), skill, version, now=datetime.now(tz=UTC))
    _tell(done, show_rollback, as_json)


@app.command()
def export(
    skill: Skill,
    to: Annotated[
        Path,
        typer.Option(metavar="DIR|FILE.skill", help="A client's folder of skills, or an archive to write."),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace what this program did not write.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Copy a published skill to where agents load it from (`.claude/skills`), or pack it as one file."""
    from t2s_pipeline.commands.exporting import export as export_to
    from t2s_pipeline.commands.skill_screen import show_export

    done = export_to(_pipeline(data), skill, to, force=force)
    _tell(done, show_export, as_json)


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A skill directory, of this pipeline or any other.")],
    as_json: AsJson = False,
) -> None:
    """Whether a skill directory keeps to the Agent Skills specification and to our stricter limits."""
    from t2s_pipeline.commands.exporting import check as check_at
    from t2s_pipeline.commands.skill_screen import show_check

    found = check_at(path)
    _tell(found, show_check, as_json)
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def inspect(file: Path, data: Data = None, as_json: AsJson = False) -> None:
    """How a trace file would be read: its format, its traces, and what is wrong with it."""
    from t2s_pipeline.commands.inspecting import inspect_file
    from t2s_pipeline.commands.screen import show_inspection

    inspection = inspect_file(file, _settings(data))
    _tell(inspection, show_inspection, as_json)
    raise typer.Exit(0 if inspection.traces else 1)


@app.command()
def formats(as_json: AsJson = False) -> None:
    """The trace formats that are recognised, by content and not by file name."""
    from t2s_pipeline.commands.inspecting import list_formats
    from t2s_pipeline.commands.screen import show_formats

    found = list_formats()
    _tell(found, show_formats, as_json)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the web server.", min=1, max=65535)] = 3000,
    data: Data = None,
    engine: EngineOption = None,
) -> None:
    """Open the Dagster UI; while it is open, new files in the inbox lead to updated skills by themselves."""
    from t2s_pipeline.commands.ui import serve

    settings = _settings(data, engine)
    errors = Console(stderr=True)
    errors.print("Starting Dagster; this takes some 20 seconds …")

    def ready(address: str) -> None:
        errors.print(
            f"The UI is at [bold]{address}[/bold]. Traces put into the inbox are picked up. Ctrl-C stops."
        )

    raise typer.Exit(serve(settings, port=port, ready=ready))


def _settings(data: Path | None, engine: EngineName | None = None) -> Settings:
    """The settings of the environment, with what the command line says about them."""
    from t2s_pipeline.environment import from_environment, unknown_variables
    from t2s_pipeline.llm.settings import LLMSettings
    from t2s_pipeline.settings import Settings

    for sentence in unknown_variables([Settings, LLMSettings]):
        Console(stderr=True).print(f"Warning: {sentence}", style="yellow", markup=False, highlight=False)
    given = {"data": data, "engine": engine.value if engine else None}
    settings = from_environment(Settings)
    return settings.model_copy(update={name: value for name, value in given.items() if value})


def _pipeline(data: Path | None, engine: EngineName | None = None) -> Pipeline:
    from t2s_pipeline.pipeline import pipeline_at

    return pipeline_at(_settings(data, engine))


def _terminal() -> Console:
    """A console on standard error as it is now: while Dagster runs a job in this process, it redirects
    the stream itself through a file, in which a progress bar is no use.
    """
    return Console(file=os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8"))


def _place(text: str) -> tuple[Path, int | None]:
    """A path and, after a colon, a line; a path that exists is taken as it is."""
    path, colon, line = text.rpartition(":")
    if colon and line.isdecimal() and not Path(text).exists():
        return Path(path), int(line)
    return Path(text), None


def _tell(found: Found, show: Callable[[Console, Found], None], as_json: bool) -> None:
    """Print what was found: as one JSON object, or as `show` does."""
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        show(Console(), found)


def main() -> None:
    """The entry point of `t2s`. What a user can put right is told in one sentence, without a traceback."""
    try:
        app()
    except BrokenPipeError:
        # The reader of the output has gone (`t2s status | head`); Python would complain while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (T2SError, OSError) as error:
        told = str(error)
        if isinstance(error, OSError) and error.filename:
            told = f"{error.filename}: {error.strerror}"
        Console(stderr=True).print(f"t2s: {told}", style="red", markup=False, highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
