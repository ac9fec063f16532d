"""A text as a person reads it: what characters hide, imitate or spell out is undone.

A word that is checked has to be the word that is read later, by a person or by a model: `evil.com` with
something of no width in it is `evil.com`, and so it is in full-width or in Cyrillic letters.
"""

from __future__ import annotations

import html
import re
import unicodedata

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Takes no place on the screen: zero width, direction, variation, fillers, tags."""
_LOOK_ALIKES = str.maketrans(
    "аеіјорсѕухӏԁɡАВЕІЈКМНОРСЅТХΑΒΕΗΙΚΜΝΟΡΤΧ’。", "aeijopcsyxldgABEIJKMHOPCSTXABEHIKMNOPTX'."
)
"""Cyrillic and Greek letters that print like Latin ones, and the full stop of Chinese and Japanese."""
_LOOK_ALIKE = re.compile("[\u0370-\u04ff\u0500-\u052f\u0261’。]")


def legible(text: str) -> str:
    """The text with invisible characters dropped, compatibility forms and look-alike letters folded, and HTML
    character references resolved."""
    if "&#" in text:
        text = html.unescape(text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
    return text.translate(_LOOK_ALIKES) if _LOOK_ALIKE.search(text) else text
