"""Any other tool: by its name, the arguments it is given, and values that are choices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from t2s_pipeline.analysts.statistical.actions.action import Action

_CHOICE = re.compile(r"^[A-Za-z][A-Za-z_\-]{0,23}$")
MAX_ARGUMENTS = 24


def abstract(tool: str, arguments: Mapping[str, Any]) -> Action:
    """The tool's name; argument names and values that look like a choice as features."""
    features: set[str] = set()
    for key, value in list(arguments.items())[:MAX_ARGUMENTS]:
        if value in (None, "", [], {}):
            continue
        features.add(f"`{tool}` with `{key}`")
        if isinstance(value, bool) or (isinstance(value, str) and _CHOICE.match(value)):
            features.add(f"`{tool}` with `{key}` = `{value}`")
        elif isinstance(value, list) and len(value) > 1:
            features.add(f"`{tool}` with several `{key}`")
    name = tool
    command = arguments.get("command", arguments.get("action"))
    if isinstance(command, str) and re.match(r"^[a-z][a-z_\-]{1,20}$", command) and len(arguments) > 1:
        name = f"{tool} {command}"  # editors with sub-commands: `str_replace_editor view`
    return Action("other", name, tuple(sorted(features)))
