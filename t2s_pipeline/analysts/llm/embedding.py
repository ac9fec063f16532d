"""Vectors from the endpoint, in the form consolidation compares (`consolidation.embed.Embedder`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from t2s_pipeline.consolidation.embed import Vectors, quantised
from t2s_pipeline.llm.embeddings import MOST_TEXTS, EmbeddingClient


class EndpointEmbedder:
    """Asks from any thread; `run` has a coroutine run in the event loop of the client.

    An endpoint need not give the same numbers twice: whoever needs that keeps what came.
    """

    texts_at_once = MOST_TEXTS

    def __init__(
        self,
        client: EmbeddingClient,
        run: Callable[[Coroutine[Any, Any, list[list[float]]]], list[list[float]]],
    ) -> None:
        self.name = f"endpoint {client.model}"
        self.concurrency = client.settings.max_in_flight
        self._client = client
        self._run = run

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, in their order.

        Raises:
            CallFailed, BudgetExceeded: there are none; the message says what to set.
        """
        return np.stack([quantised(np.array(vector)) for vector in self._run(self._client.embed(texts))])
