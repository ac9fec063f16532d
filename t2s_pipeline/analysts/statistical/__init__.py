"""The statistical engine: steps of stored traces in, Lessons out, with no model and no network.

Per trace it mines refused calls with what put them right and calls that repeat for nothing; across the
attempts at the same tasks it tests habits. Deterministic: the same traces give the same bytes.
"""
