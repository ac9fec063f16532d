"""From the text a model wrote to the object it meant, or a reason why not.

Seen from real models, and read here without asking again: prose or code fences around the object, thoughts
in front of it, raw line breaks inside strings, trailing commas. What no reading repairs is the caller's to
ask for again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_MOST_TEXT = 1_000_000
"""Characters of a reply that is read: many times what any number of tokens one would ask for can say."""
_THOUGHT = re.compile(r"<think(?:ing)?>")
_THOUGHT_ENDS = re.compile(r"</think(?:ing)?>")
# A string that does not end goes on to the end of the text: nothing in it is looked at twice.
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]++|\\.)*+(?:"|\\?\Z))|,(?=\s*[}\]])', re.DOTALL)
_OBJECT_STARTS_TRIED = 64
"""Places where an object may begin; more than this is prose full of braces, and reading stays linear."""
_MOST_LOOKED_AT = 8_000_000
"""Characters looked at for all these places together: in a very long text fewer are tried."""
_PROBLEMS_TOLD = 6


class Unreadable(ValueError):
    """The reply is not the object that was asked for; the message tells the model what to put right."""


def parse_reply(text: str, model: type[Model]) -> Model:
    """The object in `text` that fits `model`, the longest one where several do. Raises Unreadable."""
    if len(text) > _MOST_TEXT:
        raise Unreadable(f"the reply has more than {_MOST_TEXT:,} characters")
    found = sorted(json_objects(text), key=lambda item: -item[1])
    if not found:
        raise Unreadable("the reply holds no complete JSON object")
    problems: list[str] = []
    for value, _length in found:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            problems.append(_in_words(error))
    raise Unreadable(problems[0])


def parse_cut_off(text: str, model: type[Model]) -> Model:
    """What a reply that was cut off says completely: for a model that is a list of objects and nothing
    else, the objects before the cut. Raises Unreadable when there are none, or the model is another.
    """
    fields = list(model.model_fields.items())
    items = get_args(fields[0][1].annotation) if len(fields) == 1 else ()
    if not items or not isinstance(items[0], type) or not issubclass(items[0], BaseModel):
        raise Unreadable("a part of this reply is of no use")
    complete = []
    for value, _length in json_objects(text):
        try:
            complete.append(items[0].model_validate(value))
        except ValidationError:
            continue
    if not complete:
        raise Unreadable("nothing in the reply is complete")
    return model.model_validate({fields[0][0]: complete})


def json_objects(text: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Every complete JSON object that is not inside another one, with its length in characters."""
    text = _without_thoughts(text[:_MOST_TEXT])
    position, tried = 0, 0
    most = min(_OBJECT_STARTS_TRIED, 1 + _MOST_LOOKED_AT // (len(text) + 1))
    while tried < most and (start := text.find("{", position)) >= 0:
        tried += 1
        decoded = _decode(text, start)
        if decoded is None:
            position = start + 1
            continue
        value, position = decoded
        yield value, position - start


def _without_thoughts(text: str) -> str:
    """The text without what a model thinks aloud before it answers; a thought that does not end stays."""
    parts: list[str] = []
    position = 0
    while (begun := _THOUGHT.search(text, position)) and (ended := _THOUGHT_ENDS.search(text, begun.end())):
        parts.append(text[position : begun.start()])
        position = ended.end()
    return "".join([*parts, text[position:]])


def _decode(text: str, start: int) -> tuple[dict[str, Any], int] | None:
    """The object that begins at `start` and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        return None
    except ValueError:
        repaired = _TRAILING_COMMA.sub(lambda match: match.group(1) or "", text[start:])
        if repaired == text[start:]:
            return None
        try:
            value, _ = _DECODER.raw_decode(repaired)
        except (ValueError, RecursionError):
            return None
        end = len(text)
    return (value, end) if isinstance(value, dict) and _is_unicode(value) else None


def _is_unicode(value: Any) -> bool:
    """Whether every string can be stored: JSON may escape half a surrogate pair, UTF-8 cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)
"""Not strict: control characters such as raw line breaks are taken as they stand inside strings."""


def _in_words(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the object'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    more = len(problems) - _PROBLEMS_TOLD
    return "; ".join(problems[:_PROBLEMS_TOLD]) + (f"; and {more} more" if more > 0 else "")
