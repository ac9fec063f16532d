"""A generated set of secrets: kinds of real services, random values, four ways of writing them down.

Nothing here was ever valid. Prefixes are put together from pieces, so that no scanner of source code
takes this file for a leak.
"""

from __future__ import annotations

import base64
import io
import json
import random
import shlex
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ruamel.yaml import YAML

_LETTERS, _DIGITS = string.ascii_letters, string.digits
_ALNUM = _LETTERS + _DIGITS
_LOWER = string.ascii_lowercase + _DIGITS
_UPPER = string.ascii_uppercase + _DIGITS
_HEX = "0123456789abcdef"
_URL64 = _ALNUM + "-_"
_B64 = _ALNUM + "+/"
_WORDS = ("river", "copper", "window", "maple", "orbit", "saddle", "violet", "harbor", "pepper", "glacier")


@dataclass(frozen=True)
class Kind:
    """A kind of secret: the variable people keep it in, and how a value is made."""

    label: str
    variable: str
    make: Callable[[random.Random], str]
    bare: bool
    """Has a shape of its own, so that it must be found with no name beside it."""


@dataclass(frozen=True)
class Sample:
    """One secret written down in one way."""

    label: str
    encoding: str
    value: str
    text: str


def _of(alphabet: str, size: int) -> Callable[[random.Random], str]:
    def make(rng: random.Random) -> str:
        return "".join(rng.choice(alphabet) for _ in range(size))

    return make


def _joined(*parts: str | Callable[[random.Random], str]) -> Callable[[random.Random], str]:
    def make(rng: random.Random) -> str:
        return "".join(part if isinstance(part, str) else part(rng) for part in parts)

    return make


def _password(rng: random.Random) -> str:
    return (
        rng.choice(_WORDS).title() + str(rng.randint(10, 9999)) + rng.choice("!#%^*?@") + rng.choice(_WORDS)
    )


def _uuid(rng: random.Random) -> str:
    return "-".join(_of(_HEX, size)(rng) for size in (8, 4, 4, 4, 12))


def _jwt(rng: random.Random) -> str:
    def part(data: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")

    claims = {"sub": _of(_DIGITS, 10)(rng), "name": rng.choice(_WORDS), "iat": rng.randint(10**9, 2 * 10**9)}
    return ".".join((part({"alg": "HS256", "typ": "JWT"}), part(claims), _of(_URL64, 43)(rng)))


def _private_key(rng: random.Random) -> str:
    title = rng.choice(("RSA ", "EC ", "OPENSSH ", "")) + "PRIVATE" + " KEY"
    body = "\n".join(_of(_B64, 64)(rng) for _ in range(rng.randint(4, 12)))
    return f"-----BEGIN {title}-----\n{body}\n-----END {title}-----"


def _database_url(rng: random.Random) -> str:
    scheme = rng.choice(("postgresql", "mysql", "mongodb+srv", "redis", "amqp"))
    password = _of(_ALNUM, 14)(rng)
    return f"{scheme}://{rng.choice(_WORDS)}:{password}@db-{rng.randint(1, 9)}.corp.internal:5432/app"


def _connection_string(rng: random.Random) -> str:
    key = base64.b64encode(bytes(rng.randrange(256) for _ in range(64))).decode()
    return f"DefaultEndpointsProtocol=https;AccountName={rng.choice(_WORDS)};Account" + f"Key={key}"


KINDS: tuple[Kind, ...] = (
    Kind("aws access key id", "AWS_ACCESS_KEY_ID", _joined("AK", "IA", _of(_UPPER, 16)), True),
    Kind("aws temporary key id", "AWS_ACCESS_KEY_ID", _joined("AS", "IA", _of(_UPPER, 16)), True),
    Kind("aws secret access key", "AWS_SECRET_ACCESS_KEY", _of(_B64, 40), False),
    Kind("github personal token", "GITHUB_TOKEN", _joined("gh", "p_", _of(_ALNUM, 36)), True),
    Kind("github app token", "GH_APP_TOKEN", _joined("gh", "s_", _of(_ALNUM, 36)), True),
    Kind(
        "github fine-grained token",
        "GH_PAT",
        _joined("github", "_pat_", _of(_ALNUM, 22), "_", _of(_ALNUM, 59)),
        True,
    ),
    Kind("gitlab token", "GITLAB_TOKEN", _joined("gl", "pat-", _of(_URL64, 20)), True),
    Kind(
        "slack bot token",
        "SLACK_BOT_TOKEN",
        _joined("xo", "xb-", _of(_DIGITS, 12), "-", _of(_DIGITS, 12), "-", _of(_ALNUM, 24)),
        True,
    ),
    Kind(
        "slack webhook",
        "SLACK_WEBHOOK",
        _joined(
            "https://hooks.",
            "slack.com/services/T",
            _of(_UPPER, 8),
            "/B",
            _of(_UPPER, 8),
            "/",
            _of(_ALNUM, 24),
        ),
        True,
    ),
    Kind("stripe secret key", "STRIPE_SECRET_KEY", _joined("sk", "_live_", _of(_ALNUM, 24)), True),
    Kind("stripe webhook secret", "STRIPE_WEBHOOK_SECRET", _joined("wh", "sec_", _of(_ALNUM, 32)), True),
    Kind(
        "openai project key",
        "OPENAI_API_KEY",
        _joined("sk", "-proj-", _of(_URL64, 74), "T3Blbk", "FJ", _of(_URL64, 74)),
        True,
    ),
    Kind(
        "openai legacy key",
        "OPENAI_API_KEY",
        _joined("sk", "-", _of(_ALNUM, 20), "T3Blbk", "FJ", _of(_ALNUM, 20)),
        True,
    ),
    Kind("anthropic key", "ANTHROPIC_API_KEY", _joined("sk", "-ant-", "api03-", _of(_URL64, 93), "AA"), True),
    Kind("google api key", "GOOGLE_API_KEY", _joined("AI", "za", _of(_URL64, 35)), True),
    Kind("google oauth secret", "GOOGLE_CLIENT_SECRET", _joined("GOC", "SPX-", _of(_URL64, 28)), True),
    Kind("hugging face token", "HF_TOKEN", _joined("h", "f_", _of(_ALNUM, 34)), True),
    Kind("groq key", "GROQ_API_KEY", _joined("gs", "k_", _of(_ALNUM, 52)), True),
    Kind("openrouter key", "OPENROUTER_API_KEY", _joined("sk", "-or-v1-", _of(_HEX, 64)), True),
    Kind(
        "langsmith key", "LANGSMITH_API_KEY", _joined("lsv2", "_pt_", _of(_HEX, 32), "_", _of(_HEX, 10)), True
    ),
    Kind("npm token", "NPM_TOKEN", _joined("np", "m_", _of(_ALNUM, 36)), True),
    Kind("pypi token", "TWINE_PASSWORD", _joined("pypi-", "AgEIcHlwaS5vcmc", _of(_URL64, 120)), True),
    Kind("docker token", "DOCKER_PAT", _joined("dckr", "_pat_", _of(_URL64, 27)), True),
    Kind("sendgrid key", "SENDGRID_API_KEY", _joined("S", "G.", _of(_URL64, 22), ".", _of(_URL64, 43)), True),
    Kind("twilio key", "TWILIO_API_KEY", _joined("S", "K", _of(_HEX, 32)), True),
    Kind("mailgun key", "MAILGUN_API_KEY", _joined("ke", "y-", _of(_HEX, 32)), True),
    Kind("mailchimp key", "MAILCHIMP_API_KEY", _joined(_of(_HEX, 32), "-us", "14"), True),
    Kind("shopify token", "SHOPIFY_ACCESS_TOKEN", _joined("shp", "at_", _of(_HEX, 32)), True),
    Kind("digitalocean token", "DIGITALOCEAN_TOKEN", _joined("dop", "_v1_", _of(_HEX, 64)), True),
    Kind("databricks token", "DATABRICKS_TOKEN", _joined("da", "pi", _of(_HEX, 32)), True),
    Kind(
        "discord bot token",
        "DISCORD_TOKEN",
        _joined("M", _of(_ALNUM, 23), ".", _of(_ALNUM, 6), ".", _of(_URL64, 27)),
        True,
    ),
    Kind(
        "telegram bot token",
        "TELEGRAM_BOT_TOKEN",
        _joined(_of("123456789", 9), ":A", "A", _of(_URL64, 33)),
        True,
    ),
    Kind("notion token", "NOTION_TOKEN", _joined("nt", "n_", _of(_DIGITS, 11), _of(_ALNUM, 35)), True),
    Kind("linear key", "LINEAR_API_KEY", _joined("lin", "_api_", _of(_ALNUM, 40)), True),
    Kind("vault token", "VAULT_TOKEN", _joined("hv", "s.", _of(_ALNUM, 95)), True),
    Kind("azure storage connection", "AZURE_STORAGE_CONNECTION_STRING", _connection_string, True),
    Kind(
        "azure client secret",
        "AZURE_CLIENT_SECRET",
        _joined(_of(_ALNUM, 3), "8", "Q~", _of(_ALNUM + "_.-", 34)),
        True,
    ),
    Kind("json web token", "SESSION_JWT", _jwt, True),
    Kind("private key", "DEPLOY_KEY", _private_key, True),
    Kind("database url", "DATABASE_URL", _database_url, True),
    Kind("datadog key", "DATADOG_API_KEY", _of(_HEX, 32), False),
    Kind("cloudflare token", "CLOUDFLARE_API_TOKEN", _of(_URL64, 40), False),
    Kind("heroku key", "HEROKU_API_KEY", _uuid, False),
    Kind("twitter secret", "TWITTER_API_SECRET", _of(_ALNUM, 50), False),
    Kind("client secret", "CLIENT_SECRET", _of(_ALNUM, 40), False),
    Kind("generic api key", "API_KEY", _of(_LOWER, 32), False),
    Kind("auth token", "AUTH_TOKEN", _of(_URL64, 44), False),
    Kind("encryption key", "ENCRYPTION_KEY", _of(_HEX, 64), False),
    Kind("password", "DB_PASSWORD", _password, False),
    Kind("password field", "password", _of(_ALNUM + "!#%^*", 14), False),
)


def _plain(kind: Kind, value: str, rng: random.Random) -> str:
    named = (
        f"{kind.variable}={value}",
        f'{kind.variable.lower()} = "{value}"',
        f"  {kind.variable}: {value}",
        f"$ my-tool --{kind.variable.lower().replace('_', '-')} {value}",
    )
    unnamed = (f"I found this in the log: {value} and used it.", f"Authenticating with {value}", f"({value})")
    if "\n" in value:
        return value
    return rng.choice(named + unnamed if kind.bare else named)


def _json_escaped(kind: Kind, value: str, rng: random.Random) -> str:
    inner = json.dumps({"env": {kind.variable: value, "region": "eu-west-1"}, "retries": rng.randint(1, 5)})
    return json.dumps({"tool": "http", "body": inner, "ok": True})


def _shell(kind: Kind, value: str, rng: random.Random) -> str:
    quoted = shlex.quote(value)
    double = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
    return rng.choice(
        (
            f"export {kind.variable}={quoted} && make deploy",
            f"{kind.variable}={double} ./run.sh --verbose",
            f"env {kind.variable}={quoted} python app.py | tee out.log",
            f"docker run -e {kind.variable}={quoted} image:latest",
        )
    )


def _yaml(kind: Kind, value: str, rng: random.Random) -> str:
    buffer = io.StringIO()
    yaml = YAML()
    yaml.width = 10_000
    item: object = {"env": {kind.variable: value, "replicas": rng.randint(1, 5)}}
    if rng.random() < 0.3:
        item = {"env": [{"name": kind.variable, "value": value}]}
    yaml.dump({"service": {"name": rng.choice(_WORDS), **item}}, buffer)  # type: ignore[dict-item]
    return buffer.getvalue()


ENCODINGS: dict[str, Callable[[Kind, str, random.Random], str]] = {
    "plain": _plain,
    "json": _json_escaped,
    "shell": _shell,
    "yaml": _yaml,
}


def secret_samples(seed: int, per_kind: int) -> Iterator[Sample]:
    """Every kind in every encoding, `per_kind` values each; the same seed gives the same samples."""
    rng = random.Random(seed)
    for kind in KINDS:
        for encoding, write in ENCODINGS.items():
            for _ in range(per_kind):
                value = kind.make(rng)
                yield Sample(kind.label, encoding, value, write(kind, value, rng))


def secret_part(sample: Sample) -> str:
    """What must not survive: of a URL or connection string the password, of a key block its first line of
    data, else the value."""
    value = sample.value
    if sample.label == "database url":
        return value.split("://", 1)[1].split(":", 1)[1].split("@", 1)[0]
    if sample.label == "azure storage connection":
        return value.rsplit("Key=", 1)[1]
    if sample.label == "slack webhook":
        return value.rsplit("/", 1)[1]
    if sample.label == "private key":
        return value.split("\n")[1]
    return value
