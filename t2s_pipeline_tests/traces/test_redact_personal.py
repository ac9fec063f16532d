from __future__ import annotations

import pytest

from t2s_pipeline.traces.redact import Redactor
from t2s_pipeline.traces.redaction.config import RedactionConfig
from t2s_pipeline.traces.redaction.personal import passes_luhn

REDACTOR = Redactor(RedactionConfig(), b"x" * 32)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write to yara.garcia_19@mail.co.uk.", "write to <PERSONAL:email:1>."),
        ("<a href=mailto:leif@turbo.ai>", "<a href=mailto:<PERSONAL:email:1>>"),
        ("call (209) 372-0200 now", "call <PERSONAL:phone:1> now"),
        ("tel +44 20 7946 1958, fax", "tel <PERSONAL:phone:1>, fax"),
        ("phone: 954-788-7926", "phone: <PERSONAL:phone:1>"),
        ("mobile +4915112345678;", "mobile <PERSONAL:phone:1>;"),
        ("card 4111 1111 1111 1111 exp", "card <PERSONAL:card:1> exp"),
        ("pan=378282246310005", "pan=378282246310005"),
        ("amex 3782 822463 10005", "amex <PERSONAL:card:1>"),
        ("visa 4012888888881881.", "visa <PERSONAL:card:1>."),
        ("from 104.56.238.49 (talk)", "from <PERSONAL:ip:1> (talk)"),
        ("peer 2405:201:6016:4b79:b875:32c2:435f:d13d up", "peer <PERSONAL:ip:1> up"),
        ("ssh root@52.14.201.7", "ssh root@<PERSONAL:ip:1>"),
    ],
)
def test_personal_values_are_replaced(text: str, clean: str) -> None:
    assert REDACTOR.redact_text(text)[0] == clean


@pytest.mark.parametrize(
    "text",
    [
        *("10.1.2.3 192.168.0.1 172.16.9.9 169.254.1.1 127.0.0.1 0.0.0.0 255.255.255.255", "224.0.0.251"),
        *("192.0.2.55 198.51.100.7 203.0.113.200", "2001:db8::1 fe80::1 ::1 fd00::12", "8.8.8.8 and 1.1.1.1"),
        *(
            "WP Rocket 3.17.2.1",
            "package==4.12.30.1",
            "v2.13.4.5",
            "OID 1.3.6.1.4.1.311",
            "std::vector<a::b>",
        ),
        *("git@github.com:x/y", "no-reply@corp.io", "me@example.org", "logo@2x.png", "x@host.local"),
        *("4111 1111 1111 1112", "1234567812345670", "0.4012888888881881", "id-4012888888881881-x"),
        *(
            "2024-11-05 13:32:37",
            "1-2-3",
            "555-0142 is fiction: (212) 555-0142",
            "+1234567890",
            "@@ -123,456 +789,12 @@",
        ),
        "\n+4915112345678 is an added line of a diff",
    ],
)
def test_what_belongs_to_nobody_is_kept(text: str) -> None:
    assert REDACTOR.redact_text(text)[0] == text


def test_numbers_in_fields_for_cards_are_read_as_text() -> None:
    value = {"card_number": 4012888888881881, "amount": 4012888888881881, "cards": [4111111111111111]}

    clean, _ = REDACTOR.redact_json(value)

    assert clean == {
        "card_number": "<PERSONAL:card:1>",
        "amount": 4012888888881881,
        "cards": ["<PERSONAL:card:2>"],
    }


def test_the_check_digit_is_checked() -> None:
    assert passes_luhn("4111111111111111")
    assert not passes_luhn("4111111111111112")
    assert not passes_luhn("0000000000000000")
