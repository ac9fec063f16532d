"""How redaction finds what must go: rules read as data, scanners in linear time, views through escapes.

Texts go in, spans to hide come out; `traces/redact.py` replaces them and keeps the numbers. No input can
stall it, and what is hidden is remembered only as a salted fingerprint.
"""
