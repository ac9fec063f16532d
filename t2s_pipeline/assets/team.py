"""What all assets share: who owns them, and how they wait for a busy store."""

import dagster as dg

OWNERS = ["team:skills"]

RETRY_WHEN_BUSY = dg.RetryPolicy(
    max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""Another program may hold the database file for a while; repeating an asset is free of side effects."""

MODEL_ENDPOINT = "model_endpoint"
"""Pool of the steps that may ask a model: several runs share its limit (`dagster.yaml`)."""
