"""Versions of what decides lessons: equal code and equal settings, equal version; a changed analyst shows as
stale.

`S` stands for lessons of the statistical analysts, `S+llm-M-N` for what a model has taught beside them (`M`
its prompts and code, `N` its settings), `S+kept` for statistical lessons that were made anew beside what a
model had taught. `+3-failed` at the end: so many traces could not be read.
"""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline.environment import from_environment
from t2s_pipeline.llm.settings import LLMSettings
from t2s_pipeline.settings import Engine, Settings
from t2s_pipeline.sources import settings_version, source_version

__all__ = [
    "KEPT",
    "analysts_version",
    "lessons_version",
    "read_by_model",
    "source_version",
    "why_analysed_again",
]

_HERE = Path(__file__).parent
_STATISTICAL = source_version(
    [
        *(_HERE / name for name in ("lesson.py", "grounding.py", "taught_before.py", "analyse.py")),
        _HERE / "statistical",
    ]
)
_BY_MODEL = source_version((_HERE / "by_model.py", _HERE / "llm"))

KEPT = "+kept"
"""Ends the version of lessons beside which those of a model were kept."""


def analysts_version(engine: Engine) -> str:
    """Changes whenever the analysts of an engine, their prompts, or the code they share change. Kept apart
    from `analyse` so that it can be known without importing the statistics, which takes two seconds.
    """
    # The model's analysts read beside the statistical ones.
    return f"{_STATISTICAL}+llm-{_BY_MODEL}" if engine == "llm" else _STATISTICAL


def lessons_version(settings: Settings) -> str:
    """Changes whenever the same traces could give other lessons.

    Raises:
        T2SError: the settings of the model's endpoint make no sense.
    """
    if settings.engine != "llm":
        return analysts_version(settings.engine)
    model = from_environment(LLMSettings)
    return f"{analysts_version('llm')}-{settings_version(model, model.decides_lessons)}"


def read_by_model(version: str) -> bool:
    """Whether a model has read the traces whose lessons have this version."""
    return version.partition("+")[2].startswith("llm-")


def why_analysed_again(version: str, settings: Settings, wanted: str) -> str | None:
    """Why traces whose lessons have a version are to be analysed again; None when they need not. `wanted`
    is the `lessons_version` of the settings.

    Only an engine that is asked for replaces what a model has taught.
    """
    statistical, _, rest = version.partition("+")
    if version == wanted or (settings.engine == "auto" and statistical == _STATISTICAL):
        return None
    if not version:
        return "what is known about the traces has changed"
    if statistical != _STATISTICAL:
        return "the code that analyses traces has changed"
    if settings.engine != "llm":
        return "a model has taught here, and the statistical engine is asked for"
    if not rest.startswith("llm-"):
        return "not read by the model so far"
    if not rest.startswith(f"llm-{_BY_MODEL}"):
        return "the prompts or the code of the model's analysts have changed"
    if rest.endswith("-failed"):
        return "some of the traces could not be analysed"
    return "read by another model, or with other settings of it"
