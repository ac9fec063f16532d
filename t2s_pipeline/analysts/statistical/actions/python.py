"""Python programs: by the calls they make, read with ast."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from t2s_pipeline.analysts.statistical.actions.action import Action, code_argument

UNPARSED = "not parsable as Python"
UNREADABLE_NAME = "code that does not parse"

_TOOL = re.compile(
    r"python|ipython|jupyter|notebook|code_interpreter|run_code|execute_code|exec_py", re.IGNORECASE
)
_KEYS = ("code", "script", "source", "program", "input", "cell", "command")
_COMMON = frozenset(
    "print len range str int float list dict set tuple sorted enumerate zip isinstance min max abs any all "
    "append items keys values join split strip format get upper lower startswith endswith replace extend "
    "bool type repr map filter next iter round sum open hasattr getattr".split()
)
_WRITTEN_FORMULA = re.compile(r"^=[A-Z]+\(|^=[A-Z$]+\d")


def claims(tool: str, arguments: Mapping[str, Any]) -> str | None:
    """The program of a call whose tool runs Python."""
    if not _TOOL.search(tool):
        return None
    code = code_argument(arguments, _KEYS)
    if code is None and len(arguments) == 1:
        value = next(iter(arguments.values()))
        code = value if isinstance(value, str) else None
    return code


def abstract(code: str) -> Action:
    """The most telling call as name, every call with its keyword arguments as features."""
    name, features = _read(code)
    return Action("python", name, features, code)


@lru_cache(maxsize=20_000)
def _read(code: str) -> tuple[str, tuple[str, ...]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return UNREADABLE_NAME, (UNPARSED,)
    calls: list[str] = []
    features: set[str] = set()
    imported = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _called(node.func, imported)
            if name is None or name.strip(".()") in _COMMON:
                continue
            calls.append(name)
            features.add(f"`{name}`")
            for keyword in node.keywords:
                if keyword.arg and isinstance(keyword.value, ast.Constant):
                    features.add(f"`{name[:-2]}({keyword.arg}={_literal(keyword.value.value)})`")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            features.update(f"`import {module}`" for module in _modules(node))
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute):
                    features.add(f"assigns `.{target.attr}`")
                elif isinstance(target, ast.Subscript):
                    features.add("assigns an item")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _WRITTEN_FORMULA.match(node.value):
                features.add("writes a formula")
        elif isinstance(node, ast.JoinedStr) and node.values:
            first = node.values[0]
            if isinstance(first, ast.Constant) and str(first.value).startswith("="):
                features.add("writes a formula")
    named = [call for call in calls if not call.startswith(".")] or calls
    return (named[0] if named else "Python"), tuple(sorted(features))


def _imported(tree: ast.AST) -> frozenset[str]:
    """Names that modules go by in the program."""
    return frozenset(
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    )


def _called(func: ast.expr, imported: frozenset[str]) -> str | None:
    """`load_workbook()` for a plain call or one of a module, `.save()` for a method of a variable."""
    if isinstance(func, ast.Name):
        return f"{func.id}()"
    if isinstance(func, ast.Attribute):
        of_module = isinstance(func.value, ast.Name) and func.value.id in imported
        return f"{func.attr}()" if of_module else f".{func.attr}()"
    return None


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [(node.module or ".").split(".")[0]]
    return [alias.name.split(".")[0] for alias in node.names]


def _literal(value: object) -> str:
    return repr(value) if isinstance(value, bool | int) or value is None else "…"
