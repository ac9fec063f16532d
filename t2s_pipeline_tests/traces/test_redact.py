from __future__ import annotations

import json
import random

import orjson
import pytest
from atif import ToolCall, Trajectory

from t2s_pipeline.traces.record import Outcome, TraceRecord
from t2s_pipeline.traces.redact import RedactionReport, Redactor
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline_tests.builders import call, record_of, user
from t2s_pipeline_tests.traces.secret_set import KINDS, secret_part, secret_samples

SALT = b"0123456789abcdef" * 2
REDACTOR = Redactor(RedactionConfig(), SALT)


def value_of(label: str, seed: int = 0) -> str:
    """A generated secret of one kind."""
    return next(kind for kind in KINDS if kind.label == label).make(random.Random(seed))


def everything(record: TraceRecord) -> str:
    """All text of a record as one JSON text, escapes of quotes and slashes left as they are."""
    return record.model_dump_json()


def test_nine_of_ten_generated_secrets_are_found_in_every_encoding() -> None:
    found: dict[str, list[bool]] = {}
    for sample in secret_samples(seed=11, per_kind=2):
        text, _ = REDACTOR.redact_text(sample.text)
        found.setdefault(sample.encoding, []).append(secret_part(sample) not in text)

    recall = {encoding: sum(hits) / len(hits) for encoding, hits in found.items()}

    assert len(KINDS) >= 30
    assert set(recall) == {"plain", "json", "shell", "yaml"}
    assert min(recall.values()) >= 0.9, recall


def test_no_generated_secret_survives_in_any_text_of_a_record() -> None:
    for sample in secret_samples(seed=5, per_kind=1):
        secret = secret_part(sample)
        record = record_of(
            user(f"please fix this:\n{sample.text}"),
            call(
                "shell",
                {"command": sample.text, "env": {"again": [sample.value]}, sample.text: 1},
                sample.text,
            ),
            {"source": "agent", "message": "done", "reasoning_content": f"I saw {sample.value} there"},
        )

        clean, report = REDACTOR.redact(record)

        assert secret not in everything(clean), sample
        assert report.occurrences >= 5
        assert REDACTOR.redact(clean)[0] is clean


def test_equal_values_get_equal_placeholders_numbered_by_first_occurrence() -> None:
    first, second = value_of("github personal token", 1), value_of("github personal token", 2)
    record = record_of(
        user(f"use {second}"), call("shell", {"command": f"login {first}"}, f"{first} {second}")
    )

    clean, report = REDACTOR.redact(record)

    assert clean.trajectory.steps[0].message == "use <SECRET:github-pat:1>"
    assert clean.trajectory.steps[1].observation is not None
    assert (
        clean.trajectory.steps[1].observation.results[0].content
        == "<SECRET:github-pat:2> <SECRET:github-pat:1>"
    )
    assert report.counts == {"github-pat": 2}
    assert report.occurrences == 4


def test_a_password_found_by_its_name_is_hidden_where_it_stands_without_one() -> None:
    record = record_of(
        call("login", {"user": "bob", "password": "harbor-92!Maple"}, "ok"),
        call("shell", {"command": "cat notes"}, "bob / harbor-92!Maple"),
        call("shell", {"command": "cat notes"}, "url=/?p=harbor-92%21Maple"),
    )

    clean, _ = REDACTOR.redact(record)

    assert "harbor-92" not in everything(clean)
    assert clean.trajectory.steps[0].tool_calls is not None
    assert clean.trajectory.steps[0].tool_calls[0].arguments == {
        "user": "bob",
        "password": "<SECRET:password:1>",
    }


def test_a_record_without_secrets_is_returned_as_it_is() -> None:
    record = record_of(user("list the flights to Boston"), call("search", {"to": "BOS", "limit": 10}, "[]"))

    clean, report = REDACTOR.redact(record)

    assert clean is record
    assert report == RedactionReport()


def test_ordinary_identifiers_survive() -> None:
    text = """
call_Zx81kQpL0aBcDeFgHiJkLmNo toolu_01A09q90qw90lq917835lq9 chatcmpl-9abcDEF0123456789
commit 3f786850e387550fdab836ed7e6dc881de23001b, parent 89e6c98d92887913cadf06b2adb97f26cde4849b
id: 550e8400-e29b-41d4-a716-446655440000, session_id=7c9e6679-7425-40de-944b-e07fc1f90ae7
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
cache_key=5d41402abc4b2a76b9719d911017c592
integrity sha512-oWUfeMuc+7EkvxcV2hyTKvoAHFZAQ6wuVXZq0mmfEBkvRFHTbZ1yr0Ue/aFCYlRCQB+y5H6wiiw==
max_tokens: 4096, prompt_tokens=128000, next_page_token: abc, primary_key = order_id, token count is 5
password: str = Field(...), api_key=os.environ['API_KEY'], token = get_token(), secret: <your secret>
export TOKEN=$GITHUB_TOKEN; PASSWORD=${DB_PASSWORD} KEY={{ vault.key }} password=********
2024-05-01T12:00:00Z v1.2.3 10.0.0.7 127.0.0.1 192.0.2.4 203.0.113.9 ::1 fe80::1
git@github.com:me/repo.git user@example.com icon@2x.png lodash@4.17.21 @decorator
+12345678 added line, 123-45 of 678, 0.4111111111111111, order 4111-22
"""

    clean, report = REDACTOR.redact_text(text)

    assert clean == text
    assert report.occurrences == 0


def test_ids_that_pair_calls_with_results_are_never_touched() -> None:
    odd_id = value_of("aws access key id")
    step = call("shell", {"command": "echo hello"}, "hello")
    step["tool_calls"][0]["tool_call_id"] = odd_id
    step["observation"]["results"][0]["source_call_id"] = odd_id
    record = record_of(user(f"key {odd_id}"), step)

    clean, _ = REDACTOR.redact(record)

    assert clean.trajectory.steps[0].message == "key <SECRET:aws-access-key:1>"
    assert clean.trajectory.steps[1].tool_calls is not None
    assert clean.trajectory.steps[1].tool_calls[0].tool_call_id == odd_id


def test_what_the_environment_said_about_the_outcome_is_redacted_too() -> None:
    secret = value_of("database url")
    record = record_of(user("hello")).model_copy(
        update={"outcome": Outcome(status="error", detail=f"cannot connect to {secret}")}
    )

    clean, _ = REDACTOR.redact(record)

    assert clean.outcome.detail is not None
    assert clean.outcome.status == "error"
    assert "<SECRET:url-password:1>@db-" in clean.outcome.detail


def test_json_inside_a_string_stays_json() -> None:
    inner = {"password": 'a"b\\c9!Xy', "card": 4111111111111111, "note": "call +1 (212) 318-2000"}
    text = json.dumps(inner)

    clean, report = REDACTOR.redact_text(text)

    assert orjson.loads(clean) == {
        "password": "<SECRET:password:1>",
        "card": "<PERSONAL:card:1>",
        "note": "call <PERSONAL:phone:1>",
    }
    assert report.counts == {"card": 1, "password": 1, "phone": 1}


def test_keys_of_arguments_are_redacted_and_stay_distinct() -> None:
    first, second = value_of("npm token", 1), value_of("npm token", 2)
    value = {"map": {first: 1, second: 2, "plain": 3}}

    clean, _ = REDACTOR.redact_json(value)

    assert clean == {"map": {"<SECRET:npm-access-token:1>": 1, "<SECRET:npm-access-token:2>": 2, "plain": 3}}
    assert list(value["map"]) == [first, second, "plain"]


def test_a_private_key_is_hidden_whole_also_with_escaped_line_ends() -> None:
    key = value_of("private key")
    lines = key.splitlines()

    plain, _ = REDACTOR.redact_text(f"cat id_rsa\n{key}\n$ ")
    escaped, _ = REDACTOR.redact_text(json.dumps(json.dumps({"key": key})))
    cut, _ = REDACTOR.redact_text("\n".join(lines[:4]))

    assert plain == "cat id_rsa\n<SECRET:private-key:1>\n$ "
    assert not any(line in escaped for line in lines[1:-1])
    assert not any(line in cut for line in lines[1:4])


@pytest.mark.parametrize(
    ("before", "secret", "after"),
    [
        ("Authorization: Bearer ", "q7Rz4TnB2mXw9LcVh3Gs", ""),
        ("curl -u admin:", "Blue7river!x", " https://x.org/api"),
        ("machine x.org login bob password ", "Blue7river!x", ""),
        ("CREATE USER bob IDENTIFIED BY '", "Blue7river!x", "';"),
        ("GET https://api.x.org/v1?api_key=", "q7Rz4TnB2mXw9LcVh3Gs", "&q=1"),
        ("Server=db1;Uid=sa;Pwd=", "Blue7river!x", ";"),
        ("mysql -u root -p", "Blue7river!x", " app"),
        ("sshpass -p '", "Blue7river!x", "' ssh bob@host"),
        ("<password>", "Blue7river!x", "</password>"),
        ('<add key="ApiKey" value="', "q7Rz4TnB2mXw9LcVh3Gs", '"/>'),
        ("- name: API_KEY\n  value: ", "q7Rz4TnB2mXw9LcVh3Gs", "\n"),
        ("the password is ", "Blue7river!x", ", thanks"),
        ("Use token `", "q7Rz4TnB2mXw9LcVh3Gs", "` please"),
        ("const apiKey: string = '", "q7Rz4TnB2mXw9LcVh3Gs", "';"),
        ("ENV API_KEY ", "q7Rz4TnB2mXw9LcVh3Gs", "\n"),
        ("contraseña: ", "Blue7river!x", ""),
        ("https://bob:", "Blue7river!x", "@github.com/x/y.git"),
        ("export DB_PASS='", "Blue7river!x", "'"),
    ],
)
def test_passwords_and_keys_are_found_in_the_forms_tools_write_them(
    before: str, secret: str, after: str
) -> None:
    clean, report = REDACTOR.redact_text(before + secret + after)

    assert secret not in clean
    assert clean.startswith(before)
    assert clean.endswith(after)
    assert report.occurrences == 1


def test_layers_rules_and_values_can_be_left_out() -> None:
    token = value_of("gitlab token")
    text = f"mail help@corp.io, key {token}, phone +44 20 7946 0958"

    no_personal, _ = Redactor(RedactionConfig(personal=frozenset()), SALT).redact_text(text)
    no_secrets, _ = Redactor(RedactionConfig(secrets=False), SALT).redact_text(text)
    kept, _ = Redactor(RedactionConfig(keep=frozenset({"help@corp.io"})), SALT).redact_text(text)

    assert no_personal == "mail help@corp.io, key <SECRET:gitlab-pat:1>, phone +44 20 7946 0958"
    assert no_secrets == f"mail <PERSONAL:email:1>, key {token}, phone <PERSONAL:phone:1>"
    assert kept.startswith("mail help@corp.io, key <SECRET:")


def test_placeholders_already_in_a_text_keep_their_numbers() -> None:
    token = value_of("linear key")

    clean, _ = REDACTOR.redact_text(f"was <SECRET:linear-api-key:4>, is {token}")

    assert clean == "was <SECRET:linear-api-key:4>, is <SECRET:linear-api-key:5>"


def test_the_same_trace_gives_the_same_result_whatever_was_read_before() -> None:
    record = record_of(user(f"a {value_of('slack bot token')} b {value_of('json web token')}"))
    other = record_of(user(f"x {value_of('stripe secret key')}"))

    alone = Redactor(RedactionConfig(), SALT).redact(record)
    after_another = Redactor(RedactionConfig(), SALT)
    after_another.redact(other)

    assert after_another.redact(record) == alone


def test_models_inside_a_record_keep_their_types() -> None:
    record = record_of(call("login", {"token": value_of("groq key"), "none": None, "n": 1.5}, "ok"))

    clean, _ = REDACTOR.redact(record)

    assert isinstance(clean.trajectory, Trajectory)
    assert clean.trajectory.steps[0].tool_calls is not None
    assert isinstance(clean.trajectory.steps[0].tool_calls[0], ToolCall)
    assert clean.trajectory.steps[0].tool_calls[0].arguments == {
        "token": "<SECRET:groq-api-key:1>",
        "none": None,
        "n": 1.5,
    }
