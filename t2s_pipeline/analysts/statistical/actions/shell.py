"""Shell commands: by program and sub-command, with the options that matter."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from t2s_pipeline.analysts.statistical.actions.action import Action, code_argument, only_string

_TOOL = re.compile(r"bash|shell|terminal|command|exec|run_in_|sh$", re.IGNORECASE)
_KEYS = ("command", "cmd", "script", "code", "input", "keystrokes")
_WITH_SUBCOMMAND = frozenset(
    "git npm npx yarn pnpm pip pip3 uv poetry conda docker kubectl helm cargo go make apt apt-get brew "
    "systemctl terraform aws gcloud az gh dotnet mvn gradle rails manage.py".split()
)
_TRANSPARENT = frozenset("sudo time env nohup exec command xargs timeout".split())
_NOT_PROGRAMS = frozenset("do done then else fi if for while until case esac in { } ( ) !".split())
_SEPARATORS = frozenset(("&&", "||", ";", "|", "&", "\n", "|&", ";;"))
_PLAIN = re.compile(r"[\w\s./\-=:,@%+~&|;]*\Z")
"""Commands without quotes, expansions or redirections: white space and chains tell their words apart. Most
are, and shlex takes fifty times as long."""
_CHAINED = re.compile(r"&&|\|\||[;|&\n]")
_REDIRECT = re.compile(r"^(?:\d*>{1,2}|<{1,3}|&>)")


def claims(tool: str, arguments: Mapping[str, Any]) -> str | None:
    """The command of a call whose tool is a shell."""
    if not _TOOL.search(tool):
        return None
    command = arguments.get("command", arguments.get("cmd"))
    if isinstance(command, list) and command and all(isinstance(part, str) for part in command):
        # Codex style: ["bash", "-lc", "ls"]
        return str(command[-1]) if command[0].endswith("sh") and len(command) > 2 else shlex.join(command)
    return code_argument(arguments, _KEYS) or only_string(arguments)


def abstract(code: str) -> Action:
    """The first telling program as name; every program with its options as features."""
    name, features = _read(code[:4000])
    return Action("shell", name, features, code)


@lru_cache(maxsize=16_384)
def _read(code: str) -> tuple[str, tuple[str, ...]]:
    commands = _split(code)
    names: list[str] = []
    features: set[str] = set()
    for words in commands:
        name, options = _name(words)
        if name is None:
            continue
        names.append(name)
        features.add(f"`{name}`")
        features.update(f"`{name} {option}`" for option in options)
    telling = [name for name in names if name not in ("cd", "echo", "export", "source", "set", "true")]
    return (telling or names or ["shell"])[0], tuple(sorted(features))


def _split(code: str) -> list[list[str]]:
    """Words of each simple command; falls back to white space where quoting is broken."""
    if _PLAIN.match(code):
        return [words for part in _CHAINED.split(code) if (words := part.split())]
    heredoc = re.search(r"<<-?\s*['\"]?(\w+)['\"]?", code)
    if heredoc:
        code = code[: heredoc.end()]
    try:
        lexer = shlex.shlex(code.replace("\n", " ; "), posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        words = code.replace("\n", " ; ").split()
    commands: list[list[str]] = [[]]
    for word in words:
        if word in _SEPARATORS or (word and set(word) <= set("();|&")):
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _name(words: list[str]) -> tuple[str | None, list[str]]:
    index = 0
    while index < len(words) and (
        words[index] in _TRANSPARENT
        or words[index] in _NOT_PROGRAMS
        or re.match(r"^\w+=", words[index])
        or _REDIRECT.match(words[index])
    ):
        index += 1
    if index >= len(words):
        return None, []
    program = words[index].rsplit("/", 1)[-1]
    rest = words[index + 1 :]
    if not re.match(r"^[\w.+\-\[]+$", program):
        return None, []
    if re.match(r"^python[\d.]*$", program) and len(rest) > 1 and rest[0] == "-m":
        return f"{program} -m {rest[1]}", []
    if program in _WITH_SUBCOMMAND:
        sub = next((word for word in rest if re.match(r"^[a-z][\w:\-]*$", word)), None)
        if sub:
            return f"{program} {sub}", _options(rest)
    return program, _options(rest)


def _options(words: list[str]) -> list[str]:
    return [word.split("=", 1)[0] for word in words if re.match(r"^--?[A-Za-z][\w\-]*", word)][:6]
