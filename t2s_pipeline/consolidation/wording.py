"""What a phrase says, as fields that code can compare: words, constants and negations.

No similarity threshold separates a paraphrase from its opposite ("do X" and "never do X" share nearly all
their words), so two phrases are the same here only when their constants, negations and qualifiers are
equal and one is the other with at most a few words left out. A word exchanged for another word is a
different finding: `no such table` is not `no such column`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

WORDS_PER_OMISSION = 5
"""One word may be missing for each this many words of the longer phrase: phrases of fewer words must be
equal, because there a single word is most of the meaning."""
MAX_OMISSIONS = 2
"""Words that may be missing of one phrase; bounds the work for n words to n²/2 look-ups."""
MAX_WORDS = 60
"""Words of a phrase that are compared for omissions; longer phrases must be equal."""

NEGATIONS = {
    "not": "not",
    "no": "not",
    "never": "not",
    "cannot": "not",
    "cant": "not",
    "dont": "not",
    "doesnt": "not",
    "wont": "not",
    "nor": "not",
    "neither": "not",
    "none": "not",
    "non": "not",
    "without": "without",
    "avoid": "avoid",
    "avoids": "avoid",
    "avoiding": "avoid",
    "stop": "avoid",
    "stops": "avoid",
    "refrain": "avoid",
    "skip": "avoid",
    "instead": "instead",
}
QUALIFIERS = frozenset(
    "only unless except if until before after than first last again once twice all every any each more less"
    " most least over under always sometimes or both either between during while then back"
    " invalid missing empty fail fails failed failing unable lack lacks wrong same other different".split()
)
"""Words that bound a statement or turn it around: never left out, never added."""
_PROHIBITIONS = frozenset(("not", "avoid"))
"""What an action starts with when it says what to leave alone."""
FILLERS = frozenset(
    "a an the of is are was were be been being to in on for with this that these those it its and as at by"
    " has have had do does did must should will would can could may might shall please you your we our i my"
    " there here so".split()
)
_QUOTED = re.compile(r"(?<![^\W_])(['\"`])([^'\"`\n]*)\1(?![^\W_])")
_QUOTE_MARK = "\ue000"
_OPERATOR = re.compile(r"[<>=!+*/%^]+")
_PLACEHOLDER = re.compile(r"<[^<>\s]*>|\{[^{}\s]*\}|…|\.\.\.")
_MARK = re.compile("[’'\"`<{….(\ue000]")
"""What quotes and placeholders have in them; most phrases are plain words and need no further look."""
_EDGES = " \t.,;:!?()[]{}\"'`|&#~-–—"


class Wording(NamedTuple):
    """A phrase reduced to what must agree."""

    words: tuple[str, ...]
    """Stems of the telling words, and the bounds among them, in order."""
    bounds: tuple[str, ...]
    """What may be neither left out nor added, in order: negations, qualifiers, and constants (numbers,
    names, operators, quoted text), the latter marked with `=`."""


@lru_cache(maxsize=1 << 17)
def wording_of(phrase: str) -> Wording:
    """The comparable fields of a phrase; placeholders of masked values count for nothing."""
    text = (phrase if phrase.isascii() else unicodedata.normalize("NFKC", phrase)).casefold()
    constants: Iterator[str] = iter(())
    if _MARK.search(text):
        text, quoted = _without_marks(text)
        constants = iter(quoted)
    words: list[str] = []
    bounds: list[str] = []
    for chunk in text.split():
        if chunk == _QUOTE_MARK:
            constant = next(constants)
            words.append(constant)
            bounds.append(constant)
        else:
            telling, bounding = _words_of(chunk)
            words += telling
            bounds += bounding
    return Wording(tuple(words), tuple(bounds))


def _without_marks(text: str) -> tuple[str, list[str]]:
    """A folded phrase with its placeholders gone and a mark for each quoted text, and these as constants."""
    quoted: list[str] = []

    def take_quoted(match: re.Match[str]) -> str:
        inner = " ".join(_PLACEHOLDER.sub(" ", match[2]).split())
        if not inner:
            return " "
        quoted.append("=" + inner)
        return f" {_QUOTE_MARK} "

    text = text.replace("’", "'").replace(_QUOTE_MARK, " ").replace("(s)", "s")
    return _PLACEHOLDER.sub(" ", _QUOTED.sub(take_quoted, text)), quoted


def advice_of(action: str, negated: bool) -> tuple[Wording, bool]:
    """What an action is about, and whether the advice is to do it: `never X` and negated `X` are one."""
    wording = wording_of(action)
    if wording.words and wording.words[0] in _PROHIBITIONS:
        first = wording.words[0]
        rest = list(wording.bounds)
        rest.remove(first)
        return Wording(wording.words[1:], tuple(rest)), negated
    return wording, not negated


def omissions(wording: Wording) -> Iterator[tuple[str, ...]]:
    """The words of every phrase that says the same with a few telling words left out."""
    words = wording.words
    spare = min(len(words) // WORDS_PER_OMISSION, MAX_OMISSIONS) if len(words) <= MAX_WORDS else 0
    if spare == 0:
        return
    free = [position for position, word in enumerate(words) if word not in wording.bounds]
    for count, first in enumerate(free):
        shorter = words[:first] + words[first + 1 :]
        yield shorter
        if spare > 1:
            for second in free[count + 1 :]:
                yield shorter[: second - 1] + shorter[second:]


@lru_cache(maxsize=1 << 16)
def _words_of(chunk: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The telling words in a chunk without spaces, and the bounds among them. Chunks come again and again."""
    words: list[str] = []
    bounds: list[str] = []
    for piece in _pieces(chunk):
        bound = piece if piece[0] == "=" else _bound(piece)
        if bound is not None:
            words.append(bound)
            bounds.append(bound)
        elif piece not in FILLERS:
            words.append(_stem(piece))
    return tuple(words), tuple(bounds)


def _pieces(chunk: str) -> Iterator[str]:
    """The plain words of a chunk; anything with digits, underscores, dots or operators is a constant."""
    if _OPERATOR.fullmatch(chunk):
        yield "=" + chunk
        return
    core = chunk.strip(_EDGES)
    if core.replace("-", "").replace("'", "").isalpha():
        yield from filter(None, core.split("-"))
    elif core:
        yield "=" + core


def _bound(word: str) -> str | None:
    """The negation or qualifier a word stands for, or None."""
    if word.endswith("n't"):
        return "not"
    if word in NEGATIONS:
        return NEGATIONS[word]
    return _stem(word) if word in QUALIFIERS else None


def _stem(word: str) -> str:
    """A word without plural and verb endings, so that `exceeds` and `exceeded` are one word."""
    word = word.removesuffix("'s").replace("'", "")
    if len(word) > 4 and word.isascii():
        for ending in ("ing", "ed", "es", "s"):
            rest = word.removesuffix(ending)
            if rest != word and len(rest) >= 3 and not (ending == "s" and rest[-1] in "sui"):
                word = rest
                break
    return word.removesuffix("e") if len(word) > 4 else word
