"""What all assets share: who owns them, and how they wait for a busy store."""

import dagster as dg

OWNERS = ["team:skills"]

GROUP = "trace2skill"
"""One group: the UI shows several as closed boxes first, and the graph is small."""

RETRY_WHEN_BUSY = dg.RetryPolicy(
    max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""Another program may hold the database file for a while; repeating an asset is free of side effects."""

MODEL_ENDPOINT = "model_endpoint"
"""Pool of the step that asks a model for every trace; one such step at a time (`dagster.yaml`)."""
