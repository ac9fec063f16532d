"""The DuckDB store: everything the pipeline knows, one file, short idempotent transactions.

A write is staged as Parquet first (durable from then on) and loaded under a lock by whoever holds it, so
several processes at once neither lose nor duplicate a row.
"""
