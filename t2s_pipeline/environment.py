"""Settings read from environment variables, with mistakes told in the names a person typed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

import orjson
from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_settings import BaseSettings, SettingsError

from t2s_pipeline.errors import T2SError

PREFIX = "T2S_"
_NESTED = "__"

Model = TypeVar("Model", bound=BaseSettings)
FieldPath = tuple[str, ...]
"""Names of fields, outermost first."""


def from_environment(model: type[Model]) -> Model:
    """The settings as the environment has them.

    Raises:
        T2SError: a variable has a value that makes no sense; the message names it.
    """
    try:
        return model()
    except ValidationError as error:
        first = error.errors()[0]
        raise T2SError(
            f"{_name_of(model, first['loc'])} is set to {first['input']!r}: {first['msg']}."
        ) from error
    except SettingsError as error:
        raise T2SError(_not_json(model) or f"The environment cannot be read: {error}.") from error


def unknown_variables(models: Sequence[type[BaseSettings]]) -> list[str]:
    """A sentence for each variable with our prefix that no model reads: most likely a slip of the pen."""
    known = sorted({name for model in models for name in _variables(model) if name.startswith(PREFIX)})
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    return [_unknown(name, known) for name in unknown if name.upper() not in known]


def _unknown(name: str, known: Sequence[str]) -> str:
    nearest = get_close_matches(name.upper(), known, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else "."
    return f"{name} is set, and there is no such setting{hint}"


def _variables(model: type[BaseSettings]) -> Mapping[str, FieldPath]:
    """The variables a model reads, in capitals, with the field each of them sets."""
    found: dict[str, FieldPath] = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            found |= {one: (name,) for one in alias.choices if isinstance(one, str) and one.isupper()}
            continue
        for path in _fields(name, field.annotation):
            found[PREFIX + _NESTED.join(path).upper()] = path
    return found


def _fields(name: str, annotation: object) -> Iterator[FieldPath]:
    yield (name,)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for inner, field in annotation.model_fields.items():
            yield from ((name, *path) for path in _fields(inner, field.annotation))


def _name_of(model: type[BaseSettings], place: Sequence[int | str]) -> str:
    """The variable that sets what is at this place of the settings, and where in it, if deeper."""
    path = tuple(str(part) for part in place)
    fitting = {name: of for name, of in _variables(model).items() if path[: len(of)] == of}
    if not fitting:  # a name that no field has, in the middle of a variable's name
        return PREFIX + _NESTED.join(path).upper()
    # What is set explains a mistake better than what could be.
    name = max(fitting, key=lambda name: (_value_of(name) is not None, len(fitting[name])))
    inside = [part for part in path[len(fitting[name]) :] if not part.isdecimal()]
    if inside and _value_of(name) is None:
        return f"{name}{_NESTED}{_NESTED.join(inside).upper()}"
    return f"{name} ({'.'.join(inside)})" if inside else name


def _not_json(model: type[BaseSettings]) -> str | None:
    """Which variable for a list or an object holds something else."""
    for name in _variables(model):
        value = _value_of(name)
        if value is None or not _is_structured(model, _variables(model)[name]):
            continue
        try:
            orjson.loads(value)
        except orjson.JSONDecodeError:
            return f'{name} is set to {value!r}, which is no JSON; a list is written \'["one", "other"]\'.'
    return None


def _is_structured(model: type[BaseModel], path: FieldPath) -> bool:
    """Whether a field takes a list or an object."""
    annotation = model.model_fields[path[0]].annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return len(path) == 1 or _is_structured(annotation, path[1:])
    return getattr(annotation, "__origin__", None) in (frozenset, tuple, list, dict)


def _value_of(name: str) -> str | None:
    """The value of a variable, which may be written in small letters too."""
    return next((value for given, value in os.environ.items() if given.upper() == name), None)
