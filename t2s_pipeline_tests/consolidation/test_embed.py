import socket

import numpy as np
import pytest

from t2s_pipeline.consolidation.embed import Embedder, WordLlamaEmbedder
from t2s_pipeline_tests.consolidation.builders import SpellingEmbedder

EMBEDDERS = [WordLlamaEmbedder, SpellingEmbedder]
TEXTS = ["compute the total fare", "", "计算总价", "look at the schema", "x" * 5_000]


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_a_vector_does_not_depend_on_the_other_texts(embedder: type[Embedder]) -> None:
    made = embedder()

    together = made.embed(TEXTS)

    assert all(np.array_equal(together[row], made.embed([text])[0]) for row, text in enumerate(TEXTS))


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_similar_texts_are_nearer_than_others(embedder: type[Embedder]) -> None:
    vectors = (
        embedder()
        .embed(["compute the total fare first", "compute total fares", "look at the table schema"])
        .astype(float)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_the_weights_come_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert WordLlamaEmbedder().embed(["total"]).shape == (1, 256)
