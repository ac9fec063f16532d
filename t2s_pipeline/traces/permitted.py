"""What a rule may tell the next agent to run: only what an agent itself ran, in a successful trace.

A model (or a hostile page behind it) can put any command or address into a rule. So every URL, host,
command and script in a rule text has to be found again among the commands of successful runs, and pass
the allow and deny lists, which are the operator's and beat everything else.

A rule text is judged twice: as it stands, and as it reads once its Markdown is rendered and its invisible
and imitated characters are undone. What hides in one of the two shows in the other.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from t2s_pipeline.traces.rule_text import blocks_and_prose, readings, spans_and_prose

_DANGEROUS = (
    *(
        f"*{source} *|*[ |/]{shell}{end}"
        for source in ("curl", "wget", "base64", "xxd")
        for shell in ("sh", "bash", "zsh", "python", "python3", "perl")
        for end in ("", " *")
    ),
    "*eval *$(*curl*",
    "*rm -rf /",
    "*rm -rf / *",
    "*rm -rf /[*]*",
    "*rm -rf ~*",
    "*mkfs*",
    "*dd *of=/dev/*",
    "*:(){*",
    "*chmod -R 777 /*",
    "*/etc/shadow*",
    "*/dev/tcp/*",
    "nc * -e *",
    "*[ |;&/(]nc * -e *",
    "*history -c*",
)


class PermittedConfig(BaseModel):
    """Allow and deny lists. Patterns are shell wildcards on the whole command or host, deny beats allow."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    allow_hosts: frozenset[str] = frozenset()
    """Hosts a rule may name although no agent called them: `docs.example.org`, `*.internal`."""

    deny_hosts: frozenset[str] = frozenset()
    """Hosts no rule may name, even when an agent called them."""

    allow_commands: frozenset[str] = frozenset()
    """Commands a rule may contain although no agent ran them: `make *`, `git status`."""

    deny_commands: frozenset[str] = frozenset(_DANGEROUS)
    """Commands no rule may contain, even when an agent ran them and it went well."""


LONGEST_RULE = 10_000
"""Characters of a rule text that is judged: a headline and its details have a tenth of it. What is longer
was made to be long, and may say nothing."""

_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s<>\"'`)\]}“”‘’«»]+", re.IGNORECASE)
_ENDINGS = (
    "com|org|net|io|dev|ai|app|co|xyz|info|biz|ru|cn|tk|top|site|online|cloud|me|us|uk|de|eu|gov|edu|mil|onion"
    "|ar|au|br|ca|cf|ch|cl|club|cyou|cz|dk|es|fi|fr|ga|gg|gq|gr|hk|hu|icu|il|ir|jp|ke|kr|kz|live|lol|ly|mx|nl"
    "|nz|ph|pt|pw|ro|sg|shop|space|su|th|tr|tw|ua|vip|vn|website|wiki|za"
)
"""Endings of host names; those that are as often the end of a file, a column or an attribute are left out."""
_HOST = re.compile(
    r"(?:(?<![\w@/.-])|(?<=//))"
    rf"(?:(?:[a-z0-9](?:[a-z0-9-]{{0,62}})\.)+(?:{_ENDINGS})|www\.(?:[a-z0-9-]{{1,63}}\.)+[a-z]{{2,24}})"
    r"(?::\d{1,5})?(?![\w(-])(?!\.[\w])",
    re.IGNORECASE,
)
"""A name before a parenthesis is a call (`frame.info()`), not a host."""
_IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?(?![\w.])")
_DOCUMENTATION = re.compile(
    r"(?i)^(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|(?:.+\.)?example\.(?:com|org|net)|.+\.(?:example|test|invalid))$"
)
_SHELL_FENCES = frozenset(
    {"", "sh", "bash", "shell", "zsh", "console", "shellsession", "powershell", "ps1", "bat", "cmd"}
)
_SAID = re.compile(
    r"\b(?:run|execute|type|invoke|launch|call|use|with|via|and|then)\s+((?:sudo\s+)?[a-z][\w.+-]*(?:\s+[^\s,;]+)*)",
    re.IGNORECASE,
)
_SCRIPT = re.compile(
    r"(?<![\w/.-])(?:\.{0,2}/)?(?:[\w.-]+/)*[\w-]+\.(?:sh|bash|zsh|ps1|bat|cmd|exe|bin|run|msi|jar|vbs)\b"
)
_ARGUMENT = re.compile(r"\s(?:-\w|--\w|[./~$]|[\w.-]+[/:.]\w)")
"""What tells a command in running text from a sentence about a program."""
_PLACEHOLDER = re.compile(r"<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|\.\.\.|…|\$\w+|[A-Z][A-Z0-9_]{2,}")

_PROGRAMS = frozenset(
    "apt apt-get awk aws az bash brew bun bundle cargo cat cd certutil chmod chown cmake conda cp "
    "crontab curl dd deno dig docker dotnet du echo env eval exec export find ftp gcc gcloud gem gh git "
    "go gradle grep gunzip gzip head helm iex invoke-webrequest invoke-expression iptables java javac "
    "jq kill kubectl less ln ls make mkdir mount mv mvn mysql nc ncat netcat nmap node nohup npm npx "
    "nslookup openssl osascript passwd perl php ping pip pip3 pipx pnpm poetry powershell printf ps "
    "psql pwsh pytest python python3 rm rmdir rsync ruby rustup scp sed service sh sleep socat source "
    "sqlite3 ssh sudo su systemctl tail tar tee telnet terraform touch tox unzip useradd uv uvx vim "
    "wget which xargs yarn yum zip zsh".split()
)
"""First words by which a code span is read as a command of a shell and not as a name."""
_RISKY = frozenset(
    "bash certutil chmod chown crontab curl dd eval exec ftp iex invoke-expression invoke-webrequest "
    "iptables nc ncat netcat osascript passwd powershell pwsh rm rsync scp sh socat ssh su sudo telnet "
    "useradd wget".split()
)
"""Programs that are looked for in running text too, where most words are not commands."""
_RISKY_CALL = re.compile(rf"(?<![\w./-])(?:{'|'.join(sorted(_RISKY))})(?:\s+[^\s,;]+)+", re.IGNORECASE)
_INSTALL = re.compile(
    r"(?<![\w./-])(?:"
    r"(?:(?:uv\s+)?pip3?|uv|pipx|poetry|conda|mamba|npm|pnpm|yarn|bun|gem|cargo|brew|apt|apt-get|dnf|yum|apk)"
    r"\s+(?:install|add|i)\s+(?:-[\w=.-]+\s+)*[\w@][\w@./\[\]=<>~^:-]*"
    r"|(?:npx|uvx|bunx|pnpm\s+dlx|pipx\s+run)\s+(?:-[\w=.-]+\s+)*[\w@][\w@./:-]*"
    r"|go\s+(?:install|get)\s+[\w.-]+/[\w@./-]+)"
)
"""Fetching a package and running what is in it, up to the first name."""


def allowed_in_skill(
    text: str, own_commands: Iterable[str] | OwnCommands, config: PermittedConfig
) -> list[str]:
    """Why a rule text may not enter a skill; empty when it may.

    Args:
        text: Markdown of one rule.
        own_commands: what agents ran themselves in successful traces: shell commands, and the string
            arguments of other tools (a URL that was fetched, a query that was sent).
        config: allow and deny lists.
    """
    own = own_commands if isinstance(own_commands, OwnCommands) else OwnCommands(own_commands)
    if len(text) > LONGEST_RULE:
        return [f"a text of {len(text):,} characters is no rule"]
    problems: list[str] = []
    for reading in readings(text):
        problems += [*_address_problems(reading, own, config), *_command_problems(reading, own, config)]
    return list(dict.fromkeys(problems))


def names_what_is_run(text: str) -> bool:
    """Whether a rule text names any address, command or script: of a text that does not, `allowed_in_skill`
    says nothing, whatever agents ran and whatever the lists are."""
    return len(text) > LONGEST_RULE or any(
        any(pattern.search(reading) for pattern in (_URL, _HOST, _IP, _SCRIPT))
        or next(_commands(reading), None) is not None
        for reading in readings(text)
    )


def words_to_look_for(text: str) -> list[str]:
    """Words one of which is in every command that could permit something in a rule text: hosts, scripts and
    programs, in lower case. Empty when the text names none of them."""
    words: set[str] = set()
    for reading in readings(text) if len(text) <= LONGEST_RULE else ():
        urls = (url for url in map(_trimmed, _URL.findall(reading)) if "[" not in url)
        words.update(urlsplit(url).hostname or "" for url in urls)
        for pattern in (_HOST, _IP):
            words.update(_without_port(match.group()) for match in pattern.finditer(reading))
        words.update(_program(part) for command in _commands(reading) for part in _parts(command))
        words.update(match.group().lower() for match in _SCRIPT.finditer(reading))
    return sorted(words - {""})


class OwnCommands:
    """What agents ran, ready to be asked about several rules."""

    def __init__(self, commands: Iterable[str]) -> None:
        self._texts = tuple(dict.fromkeys(commands))
        self._urls = {_trimmed(match.group()) for text in self._texts for match in _URL.finditer(text)}
        self._hosts = {(urlsplit(url).hostname or "") for url in self._urls if "[" not in url}
        self._hosts |= {
            _without_port(match.group())
            for text in self._texts
            for pattern in (_HOST, _IP)
            for match in pattern.finditer(text)
        }
        parts = [part for text in self._texts for part in _parts(text) if part.strip()]
        self._runs = {(_program(part), frozenset(_words(part))) for part in parts}

    def fetched(self, url: str) -> bool:
        """Was this address used, or one below it? A placeholder in its path stands for anything."""
        fixed = _PLACEHOLDER.split(url)[0]
        if fixed == url:
            base = url.rstrip("/")
            return any(
                own.rstrip("/") == base or own.startswith((base + "/", base + "?")) for own in self._urls
            )
        host_ends = fixed.find("/", fixed.find("://") + 3)
        return host_ends > 0 and any(own.startswith(fixed) for own in self._urls)

    def reached(self, host: str) -> bool:
        """Was this host named in a command?"""
        return host in self._hosts

    def mentions(self, script: str) -> bool:
        """Was a file of this name part of a command?"""
        edge = re.compile(rf"(?<![\w.-]){re.escape(script)}(?![\w-])")
        return any(edge.search(text) for text in self._texts)

    def ran(self, command: str) -> bool:
        """Was this run: the same program with at least these arguments, placeholders standing for any?"""
        program = _program(command)
        words = {word for word in _words(command) if not _PLACEHOLDER.fullmatch(word)}
        return any(known == program and words <= run for known, run in self._runs)


def _address_problems(text: str, own: OwnCommands, config: PermittedConfig) -> Iterator[str]:
    rest = text
    for match in _URL.finditer(text):
        url = _trimmed(match.group())
        rest = rest.replace(url, " ")
        host = (urlsplit(url).hostname or "") if "[" not in url else url
        reason = _host_reason(host, own.fetched(url), config)
        if reason:
            yield f"the address {url} {reason}"
    for pattern in (_HOST, _IP):
        for match in pattern.finditer(rest):
            host = _without_port(match.group())
            reason = _host_reason(host, own.reached(host), config)
            if reason:
                yield f"the host {host} {reason}"


def _trimmed(url: str) -> str:
    return url.rstrip(".,;:!?*_…")


def _without_port(host: str) -> str:
    return host.split(":", 1)[0].lower()


def _host_reason(host: str, used: bool, config: PermittedConfig) -> str | None:
    if _matches(host, config.deny_hosts):
        return "is on the deny list"
    if used or _matches(host, config.allow_hosts) or _DOCUMENTATION.match(host):
        return None
    return "was not used by an agent in a successful run"


def _command_problems(text: str, own: OwnCommands, config: PermittedConfig) -> Iterator[str]:
    for command in _commands(text):
        if _matches(command, config.deny_commands):
            yield f"the command `{command}` is on the deny list"
        elif not _matches(command, config.allow_commands):
            for part in _parts(command):
                if part.strip() and not own.ran(part):
                    yield f"the command `{part.strip()}` was not run by an agent in a successful run"
    for match in _SCRIPT.finditer(text):
        if not own.mentions(match.group()) and not _matches(match.group(), config.allow_commands):
            yield f"the script {match.group()} was not run by an agent in a successful run"


def _commands(text: str) -> Iterator[str]:
    """Everything in a text that reads as a command line."""
    blocks, prose = blocks_and_prose(text)
    for block in blocks:
        for line in "\n".join(block.lines).replace("\\\n", " ").splitlines():
            command = line.strip().removeprefix("$ ").removeprefix("> ")
            is_shell = block.language in _SHELL_FENCES and block.language
            if command and not command.startswith("#") and (is_shell or _reads_as_command(command)):
                yield command
            else:
                yield from _risky_calls(command)
    spans, prose = spans_and_prose(prose)
    for span in spans:
        command = " ".join(span.split()).removeprefix("$ ")
        if _reads_as_command(command):
            yield command
        else:
            yield from _risky_calls(command)
    for said in _SAID.finditer(prose):
        command = said.group(1).rstrip(".")
        if _program(command) in _RISKY and _ARGUMENT.search(command):
            yield command
    yield from _risky_calls(prose)


def _risky_calls(text: str) -> Iterator[str]:
    """Calls of programs that can do harm, in a text that is not a command as a whole."""
    yield from (match.group().rstrip(".:") for match in _INSTALL.finditer(text))
    for match in _RISKY_CALL.finditer(text):
        command = match.group().rstrip(".")
        if _ARGUMENT.search(command):
            yield command


def _reads_as_command(code: str) -> bool:
    words = code.split()
    if not words:
        return False
    program = _program(code)
    if len(words) == 1:
        return program in _RISKY or words[0].startswith("./")
    return (
        program in _PROGRAMS
        or words[0].startswith(("./", "../", "/"))
        or bool(re.search(r"\s(?:\||&&)\s|\$\(", code))
    )


def _parts(command: str) -> list[str]:
    """The simple commands of a command line: split at pipes, `&&`, `;` and line ends."""
    return re.split(r"\s*(?:\|\||&&|[|;\n&])\s*|\$\(|`", command)


def _words(command: str) -> Sequence[str]:
    try:
        words = shlex.split(command, comments=False)
    except ValueError:  # an unbalanced quote
        words = command.split()
    return [word.strip("()") for word in words if word not in (">", ">>", "<", "2>&1")]


_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*$")
_WRAPPERS = frozenset({"sudo", "env", "time", "nohup", "exec", "command"})


def _program(command: str) -> str:
    """The program a simple command runs, past assignments and wrappers, without its directory."""
    for word in command.split():
        if _ASSIGNMENT.match(word) or (word in _WRAPPERS and command.split()[-1] != word):
            continue
        return word.strip("\"'()").rsplit("/", 1)[-1].lower()
    return ""


def _matches(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value.lower(), pattern.lower()) for pattern in patterns)
