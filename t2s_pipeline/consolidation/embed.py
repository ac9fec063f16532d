"""Meaning as vectors, to propose what an engine should compare. Similarity never decides a merge.

A text's vector depends on that text alone and is made of small integers, so that sums over it are exact
and no batch size, thread count or neighbour can move a text to another place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SCALE = 127
"""Largest absolute value of a coordinate."""

Vectors = NDArray[np.int8]


class Embedder(Protocol):
    """Turns texts into vectors, one row per text, each a function of its own text."""

    name: str
    """Vectors of embedders with other names are never compared."""
    texts_at_once: int
    """Texts per call at most."""
    concurrency: int
    """Calls that may run at the same time, from threads."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, in their order.

        Raises:
            T2SError: there are none to be had; the message says what to do.
        """
        ...


class WordLlamaEmbedder:
    """Mean of static token vectors whose weights come inside the `wordllama` package.

    The files are read directly: importing the package changes the root logger, and its loader looks for
    the tokenizer on the network although the package carries it.
    """

    name = "wordllama-l2-256"
    texts_at_once = 10_000
    concurrency = 1

    @cached_property
    def _model(self) -> tuple[NDArray[np.float32], Tokenizer]:
        """(vector of each token, what cuts texts into tokens); loaded when the first text comes."""
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        spec = find_spec("wordllama")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the package wordllama is not installed")
        root = Path(spec.submodule_search_locations[0])
        (weights,) = load_file(root / "weights" / "l2_supercat_256.safetensors").values()
        vocabulary = np.asarray(weights, dtype=np.float32)
        # Texts differ around the middle of the vocabulary, not around zero.
        vocabulary -= vocabulary.mean(axis=0, dtype=np.float64).astype(np.float32)
        tokenizer = Tokenizer.from_file(str(root / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return vocabulary, tokenizer

    def embed(self, texts: Sequence[str]) -> Vectors:
        vocabulary, tokenizer = self._model
        vectors = np.zeros((len(texts), vocabulary.shape[1]), dtype=np.int8)
        encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        for row, tokens in enumerate(encoded):
            if tokens.ids:
                vectors[row] = quantised(vocabulary[tokens.ids].sum(axis=0, dtype=np.float64))
        return vectors


def quantised(vector: NDArray[np.float64]) -> Vectors:
    """The direction of a vector in small integers."""
    largest = float(np.abs(vector).max())
    if largest == 0.0:
        return np.zeros(vector.shape, dtype=np.int8)
    return np.rint(vector * (SCALE / largest)).astype(np.int8)
