"""The rules for secrets, read as data from three places and compiled for linear-time matching.

- gitleaks: the rules file inside the `maskerlogger` package (218 rules).
- detect-secrets: the patterns of its regex plugins; its entropy plugins are not used.
- `agent_keys.toml` beside this file: what those two miss in agent traces.

A rule is either a *token* rule (the secret has a shape of its own) or an *assignment* rule (the secret
is recognised by the name it is assigned to). They are matched differently, see `tokens.py` and
`assignments.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from t2s_pipeline.traces.redaction.linear import BytesMatch, BytesPattern, compile_linear, literal

_ASSIGNMENT_OPERATOR = r"(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)"
"""The fragment by which gitleaks' generator marks a rule as `name operator value`."""

_TERMINATOR = r"""(?:[\x60'"\s;]|\\[nr]|$)"""
_LOOSE_TERMINATOR = r"(?:[^A-Za-z0-9_]|$)"
"""gitleaks wants a quote, white space or `;` after a token. Traces put secrets in URLs, argument lists
and escaped strings, so any end of the word is accepted."""

_WHOLE_MATCH = frozenset({"jwt-base64", "microsoft-teams-webhook", "github-token", "gitlab-token"})
"""Rules whose groups are parts of the secret, not the secret."""

_NOT_USED = frozenset(
    {
        # Bound to a file name, which a trace does not have; the assignment rules cover them.
        "freemius-secret-key",
        "hashicorp-tf-password",
    }
)

_RENAMED = {"aws-access-token": "aws-access-key"}

_TRIGGERS = {
    "1password-secret-key": r"\bA3-[A-Z0-9]{6}-",
    "authress-service-client-access-key": r"\b(?:sc|ext|scauth|authress)_(?i:[a-z0-9]{5,30})\.",
    "azure-ad-client-secret": r"\dQ~",
    "basic-auth-credentials": r"://[^\s\x00/:@\"'<>]{1,80}:[^\s\x00/@\"'<>]{1,200}@",
    "curl-auth-header": r"(?i:curl\s)",
    "curl-auth-user": r"(?i:curl\s)",
    "harness-api-key": r"[ps]at\.[\w-]{22}\.",
    "huggingface-access-token": r"hf_[A-Za-z]{20}",
    "jwt": r"\bey[A-Za-z0-9]{17}",
    "kubernetes-secret-yaml": r"(?i:kind:[ \t\"']{1,4}secret)",
    "octopus-deploy-api-key": r"API-[A-Z0-9]{26}",
    "sendgrid-api-key": r"\bSG\.",
    "sendgrid-api-token": r"\bSG\.",
    "sourcegraph-access-token": r"sgp_[a-f0-9l]",
    "twilio-api-key": r"(?:SK|AC)[0-9a-z]{32}",
    "vault-service-token": r"\bhvs\.|\bs\.[A-Za-z0-9]{24}",
}
"""gitleaks asks whether a keyword occurs anywhere in a file, and some of its keywords (`sk`, `ey`, `s.`)
occur everywhere. These say more exactly when a rule can match at all. `sourcegraph` is dropped as a
keyword: beside it any git commit would count as a secret."""

_SUPERSEDED_DETECTORS = frozenset(
    {
        "Private Key",  # names only the header line; the other sets take the whole block
        "JSON Web Token",  # the other sets want a JSON header and a JSON payload
        "Azure Storage Account access key",  # would hide the name of the field as well
        "NPM tokens",  # takes the rest of the line
        "Artifactory Credentials",  # takes capitalised words that begin with AP
        "Public IP (ipv4)",  # not a secret; see personal.py
    }
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Values a rule does not mean."""

    pattern: BytesPattern | None
    target: str
    """What the pattern is matched against: `secret`, `match` or `line`."""
    stopwords: BytesPattern | None

    def covers(self, secret: bytes, match: bytes, line: bytes) -> bool:
        text = {"match": match, "line": line}.get(self.target, secret)
        if self.pattern is not None and self.pattern.search(text) is not None:
            return True
        return self.stopwords is not None and self.stopwords.search(secret.lower()) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret and how it is recognised."""

    kind: str
    source: str
    """`gitleaks`, `detect-secrets` or `agent-keys`."""
    regex: str
    pattern: BytesPattern
    keywords: tuple[bytes, ...]
    """Lower-case literals of which one must occur; empty when the pattern has to be its own trigger."""
    entropy: float
    """Bits per character the secret must exceed."""
    whole: bool
    group: int
    allowed: tuple[Allowed, ...]
    assignment: bool
    trigger: str = ""
    """Pattern that must occur before the rule is tried, where keywords are too common to tell."""

    def secret_span(self, match: BytesMatch) -> tuple[int, int]:
        """Where the secret stands: the named group, else the first group that matched, else all of it."""
        if not self.whole:
            if self.group:
                return match.start(self.group), match.end(self.group)
            for group in range(1, self.pattern.groups + 1):
                if match.start(group) >= 0 and match.end(group) > match.start(group):
                    return match.start(group), match.end(group)
        return match.start(), match.end()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules, in order of how specific they are."""

    tokens: tuple[Rule, ...]
    assignments: tuple[Rule, ...]
    allowed: Allowed
    """What no rule means: templates, variables, paths."""


@cache
def load_rules() -> RuleSet:
    """Read and compile every rule; about a third of a second, once per process.

    Raises:
        ValueError: a rule cannot be compiled for linear-time matching.
    """
    gitleaks = tomllib.loads(_gitleaks_file().read_text(encoding="utf-8"))
    own = tomllib.loads(resources.files(__package__).joinpath("agent_keys.toml").read_text(encoding="utf-8"))
    rules = [
        *_rules_of(gitleaks["rules"], "gitleaks"),
        *_rules_of(own["rules"], "agent-keys"),
        *_detect_secrets_rules(),
    ]
    return RuleSet(
        tokens=tuple(rule for rule in rules if not rule.assignment),
        assignments=tuple(rule for rule in rules if rule.assignment),
        allowed=_allowed(gitleaks["allowlist"]),
    )


def _gitleaks_file() -> Path:
    """The rules file of maskerlogger, found without importing the package (it configures logging)."""
    spec = importlib.util.find_spec("maskerlogger")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("the package `maskerlogger`, which ships the gitleaks rules, is not installed")
    return Path(spec.submodule_search_locations[0]) / "config" / "gitleaks.toml"


def _rules_of(entries: Sequence[Mapping[str, Any]], source: str) -> Iterator[Rule]:
    for entry in entries:
        if entry["id"] in _NOT_USED:
            continue
        assignment = source == "gitleaks" and _ASSIGNMENT_OPERATOR in entry["regex"]
        regex = entry["regex"]
        if assignment and r"|\b(" in regex:  # atlassian: an assignment form and a token form in one rule
            named, bare = regex.split(r"|\b(", 1)
            yield _rule({**entry, "regex": named}, source, assignment=True)
            regex, assignment = r"\b(" + bare, False
        if not assignment:
            regex = regex.replace(_TERMINATOR, _LOOSE_TERMINATOR)
        yield _rule({**entry, "regex": regex}, source, assignment=assignment)


def _rule(entry: Mapping[str, Any], source: str, *, assignment: bool) -> Rule:
    kind = _RENAMED.get(entry["id"], entry["id"])
    return Rule(
        kind=kind,
        source=source,
        regex=entry["regex"],
        pattern=compile_linear(entry["regex"]),
        keywords=tuple(word.lower().encode() for word in entry["keywords"]),
        entropy=float(entry.get("entropy", 0.0)),
        whole=kind in _WHOLE_MATCH and source != "agent-keys",
        group=int(entry.get("secretGroup", 0)),
        allowed=tuple(_allowed(each) for each in entry.get("allowlists", ()) if "paths" not in each),
        assignment=assignment,
        trigger=entry.get("trigger", "")
        or ("" if assignment or source == "agent-keys" else _TRIGGERS.get(kind, "")),
    )


def _allowed(entry: Mapping[str, Any]) -> Allowed:
    patterns, words = entry.get("regexes", ()), entry.get("stopwords", ())
    return Allowed(
        pattern=compile_linear("|".join(f"(?:{each})" for each in patterns)) if patterns else None,
        target=entry.get("regexTarget", "secret"),
        stopwords=compile_linear("|".join(literal(word.encode()) for word in words)) if words else None,
    )


def _detect_secrets_rules() -> Iterator[Rule]:
    plugins = importlib.import_module("detect_secrets.plugins")
    for module in pkgutil.iter_modules(plugins.__path__):
        importlib.import_module(f"{plugins.__name__}.{module.name}")
    base = importlib.import_module("detect_secrets.plugins.base").RegexBasedDetector
    for detector in sorted(base.__subclasses__(), key=lambda each: each.__name__):
        if detector.secret_type in _SUPERSEDED_DETECTORS or not detector.__module__.startswith(
            plugins.__name__
        ):
            continue
        for pattern in detector.denylist:
            yield _detector_rule(detector.secret_type, pattern)


_LOOK_AROUND = (
    (r"(?:(?<=\W)|(?<=^))", r"(?:^|\W)"),
    (r"(?!\w)", r"(?:\W|$)"),
    (r"(?![a-zA-Z0-9_\-])", r"(?:[^a-zA-Z0-9_\-]|$)"),
    (r"(?![a-f0-9])", r"(?:[^a-f0-9]|$)"),
    (r"{50,1024}", r"{50,1000}"),  # RE2 counts to 1000
)
"""How detect-secrets' edges are said without looking around: consume the edge, keep it out of group 1."""

_DETECTOR_KEYWORDS = {
    "aws-access-key": ("a3t", "abia", "acca", "akia", "asia", "aws"),
    "basic-auth-credentials": ("://",),
    "cloudant-credentials": ("cloudant", "clou"),
    "discord-bot-token": (),
    "github-token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    "gitlab-token": (
        *("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "gr1348941"),
        *("glcbt-", "glimt-", "glptt-", "glagent-", "gloas-"),
    ),
    "ibm-cloud-iam-key": ("ibm", "iam", "cloud"),
    "ibm-cos-hmac-credentials": ("secret",),
    "mailchimp-access-key": (),
    "openai-token": ("t3blbkfj",),
    "pypi-token": ("pypi-age",),
    "sendgrid-api-key": ("sg.",),
    "slack-token": ("xoxa-", "xoxb-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "hooks.slack.com"),
    "softlayer-credentials": ("softlayer", "sl_"),
    "square-oauth-secret": ("sq0csp-",),
    "stripe-access-key": ("rk_live_", "sk_live_"),
    "telegram-bot-token": (),
    "twilio-api-key": (),
}
"""detect-secrets has no keywords; without one a pattern runs over every text. A kind that is missing
here (a plugin of a later release) gets none and is its own trigger."""


def _detector_rule(secret_type: str, pattern: re.Pattern[str]) -> Rule:
    regex, kind = pattern.pattern, re.sub(r"[^a-z0-9]+", "-", secret_type.lower()).strip("-")
    for look, consumed in _LOOK_AROUND:
        regex = regex.replace(look, consumed)
    if kind in _WHOLE_MATCH or pattern.groups == 0:
        body = regex.removesuffix(r"(?:\W|$)")
        regex = "(" + body + ")" + regex[len(body) :]
    if pattern.flags & re.IGNORECASE:
        regex = "(?i)" + regex
    entry = {"id": kind, "regex": regex, "keywords": _DETECTOR_KEYWORDS.get(kind, ())}
    named = regex.startswith(r"(?i)(?:^|\W)(?:\[|)")
    return replace(_rule(entry, "detect-secrets", assignment=named), whole=False)
