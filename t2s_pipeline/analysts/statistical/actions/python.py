"""Python programs: by the calls they make, read with ast."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from t2s_pipeline.analysts.statistical.actions.action import Action, code_argument

UNPARSED = "not parsable as Python"
SAVES = "saves its result"
READS = "reads without saving"
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
_SAVING = frozenset(
    "save to_csv to_excel to_parquet to_json to_sql savefig dump write write_text write_bytes writelines "
    "commit savetxt".split()
)
_MATCHING = frozenset(("startswith", "endswith"))
MAX_LITERAL = 30
WITHOUT_OPTIONS = " without options"
_PLAIN_END = f"()`{WITHOUT_OPTIONS}"
_OPTION = re.compile(r"(`[^(]*)\((\w+)=")
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


def snippet(code: str, feature: str) -> str | None:
    """The first line of a program that has a feature; None when it cannot be told apart."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    imported = _imported(tree)
    told = re.match(r"(`[^`]+`) without `", feature)
    wanted = f"{told[1]}{WITHOUT_OPTIONS}" if told else feature
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr) and wanted in _features_at(node, imported)
    ]
    return code.splitlines()[min(lines) - 1].strip() if lines else None


def _features_at(node: ast.AST, imported: frozenset[str]) -> set[str]:
    """Features that a node has by itself."""
    if not isinstance(node, ast.Call):
        return _features_of_statement(node)
    name = _called(node.func, imported)
    bare = (name or "").strip(".()")
    found = _checks([node.args[0]]) if bare in _MATCHING and node.args else set()
    if bare in _SAVING:
        found.add(SAVES)
    return found if name is None or bare in _COMMON else found | _features_of_call(name, node)


@lru_cache(maxsize=4_096)
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
        features |= _features_at(node, imported)
        name = _called(node.func, imported) if isinstance(node, ast.Call) else None
        if name is not None and name.strip(".()") not in _COMMON:
            calls.append(name)
    if SAVES not in features:
        features.add(READS)
    named = [call for call in calls if not call.startswith(".")] or calls
    return (named[0] if named else "Python"), tuple(sorted(features))


def _features_of_call(name: str, node: ast.Call) -> set[str]:
    found = {f"`{name}`"}
    if not node.keywords:
        found.add(plain(name))
    for keyword in node.keywords:
        if keyword.arg and isinstance(keyword.value, ast.Constant):
            found.add(f"`{name[:-2]}({keyword.arg}={_literal(keyword.value.value)})`")
    return found


def plain(name: str) -> str:
    """Feature of a program that makes a call without any keyword argument at least once."""
    return f"`{name}`{WITHOUT_OPTIONS}"


def by_options(features: Iterable[str]) -> dict[str, str | None]:
    """The `plain` features among these, each told by the options that others of them give the same call:
    `load_workbook()` without `data_only`. None where no program gives any: then the feature says nothing.
    """
    options: dict[str, set[str]] = {}
    bare: list[str] = []
    for feature in features:
        if feature.endswith(_PLAIN_END):
            bare.append(feature)
        elif match := _OPTION.match(feature):
            options.setdefault(match[1], set()).add(match[2])
    return {feature: _told(feature.removesuffix(_PLAIN_END), options) for feature in bare}


def _told(function: str, options: Mapping[str, set[str]]) -> str | None:
    given = sorted(options.get(function, ()))
    return f"{function}()` without " + " or ".join(f"`{name}`" for name in given) if given else None


def _features_of_statement(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {f"`import {module}`" for module in _modules(node)}
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {f"assigns `.{target.attr}`" for target in targets if isinstance(target, ast.Attribute)}
    if isinstance(node, ast.Compare):
        return _checks([node.left, *node.comparators])
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {"writes a formula"} if _WRITTEN_FORMULA.match(node.value) else set()
    if isinstance(node, ast.JoinedStr) and node.values:
        first = node.values[0]
        formula = isinstance(first, ast.Constant) and str(first.value).startswith("=")
        return {"writes a formula"} if formula else set()
    return set()


def _checks(sides: Sequence[ast.expr]) -> set[str]:
    """Fixed texts that something is compared with; which of them matter, only many tasks can tell."""
    found: set[str] = set()
    for side in sides:
        items = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
        for item in items:
            value = item.value if isinstance(item, ast.Constant) else None
            if (
                isinstance(value, str)
                and 2 <= len(value) <= MAX_LITERAL
                and value.isprintable()
                and "`" not in value
            ):
                found.add(f"a check for `{value}`")
    return found


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
