from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from t2s_pipeline.consolidation.embed import Vectors
from t2s_pipeline.consolidation.vectors import KeptVectors
from t2s_pipeline.errors import EndpointError, T2SError
from t2s_pipeline_tests.consolidation.builders import SpellingEmbedder

TEXTS = ["compute the total fare", "", "look at the schema", "compute the total fare"]


@dataclass
class PaidEmbedder:
    """Takes one text a call and counts the texts; fails when it has answered so many."""

    name: str = "paid"
    texts_at_once: int = 1
    concurrency: int = 1
    most: int = 1_000
    dimensions: int = 256
    paid: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> Vectors:
        assert len(texts) <= self.texts_at_once
        if len(self.paid) >= self.most:
            raise EndpointError("set something else")
        self.paid += texts
        return SpellingEmbedder().embed(texts)[:, : self.dimensions]


def test_they_are_those_of_the_embedder(tmp_path: Path) -> None:
    vectors = KeptVectors(SpellingEmbedder(), tmp_path).embed(TEXTS)

    assert np.array_equal(vectors, SpellingEmbedder().embed(TEXTS))


def test_no_text_is_paid_for_twice(tmp_path: Path) -> None:
    embedder = PaidEmbedder()
    KeptVectors(embedder, tmp_path).embed(TEXTS)

    again = KeptVectors(embedder, tmp_path).embed([*TEXTS, "new"])

    assert sorted(embedder.paid) == sorted({*TEXTS, "new"})
    assert np.array_equal(again, SpellingEmbedder().embed([*TEXTS, "new"]))


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    embedder = PaidEmbedder(most=2)
    with pytest.raises(EndpointError, match="set something else"):
        KeptVectors(embedder, tmp_path).embed(TEXTS)
    embedder.most = 1_000

    KeptVectors(embedder, tmp_path).embed(TEXTS)

    assert len(embedder.paid) == 3


def test_vectors_of_different_embedders_are_kept_apart(tmp_path: Path) -> None:
    one, other = PaidEmbedder(), PaidEmbedder(name="other", dimensions=8)

    shapes = [KeptVectors(embedder, tmp_path).embed(TEXTS).shape for embedder in (one, other, one)]

    assert shapes == [(4, 256), (4, 8), (4, 256)]
    assert len(one.paid) == len(other.paid) == 3


def test_one_file_is_left_with_the_texts_that_were_asked_about(tmp_path: Path) -> None:
    embedder = PaidEmbedder()
    KeptVectors(embedder, tmp_path).embed(TEXTS)
    (tmp_path / "killed.part").write_bytes(b"PAR1")
    now = KeptVectors(embedder, tmp_path)
    now.embed(TEXTS[1:3])

    now.drop_unused()
    files = list(tmp_path.iterdir())
    now.drop_unused()
    KeptVectors(embedder, tmp_path).embed(TEXTS)

    assert len(files) == 1
    assert embedder.paid.count(TEXTS[0]) == 2
    assert embedder.paid.count(TEXTS[2]) == 1


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    embedder = PaidEmbedder(texts_at_once=10)
    KeptVectors(embedder, tmp_path).embed(TEXTS)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"PAR1 and nothing else")

    vectors = KeptVectors(embedder, tmp_path).embed(TEXTS)

    assert np.array_equal(vectors, SpellingEmbedder().embed(TEXTS))


def test_another_model_under_the_old_name_is_noticed(tmp_path: Path) -> None:
    KeptVectors(PaidEmbedder(), tmp_path).embed(TEXTS)

    with pytest.raises(T2SError, match="it is not the model it was"):
        KeptVectors(PaidEmbedder(dimensions=8), tmp_path).embed([*TEXTS, "new"])
