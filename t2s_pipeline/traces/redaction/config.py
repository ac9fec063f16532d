"""What is redacted, what is kept."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

PersonalKind = Literal["email", "phone", "card", "ip"]


class RedactionConfig(BaseModel):
    """How far redaction goes; the defaults redact everything known."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    secrets: bool = True
    """Keys, tokens, passwords, private keys."""

    personal: frozenset[PersonalKind] = frozenset({"email", "phone", "card", "ip"})
    """Second layer: e-mail addresses, phone numbers, card numbers (Luhn), public IP addresses."""

    disabled_rules: frozenset[str] = frozenset()
    """Kinds (the middle part of a placeholder, `aws-access-key`) that are not looked for."""

    keep: frozenset[str] = frozenset()
    """Exact values that are never redacted, such as the support address a skill has to name."""
