"""How many tokens a text is, without the tokenizer of a model that is not known."""

from __future__ import annotations

from collections.abc import Sequence

_BYTES_PER_TOKEN = 4.0
"""English prose and code under the byte-pair vocabularies in use; other scripts take more bytes a letter."""
_FRAME = 64
"""Tokens a chat template may add around a whole prompt."""
_FRAME_PER_MESSAGE = 16


def utf8_length(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is: right within a third or so. For plans and rate limits."""
    return int(utf8_length(text) / _BYTES_PER_TOKEN) + 1


def most_tokens(texts: Sequence[str]) -> int:
    """More tokens than a prompt of these messages can have: no vocabulary makes two tokens of one byte.
    For budgets.
    """
    return _FRAME + sum(_FRAME_PER_MESSAGE + utf8_length(text) for text in texts)
