"""Analysts that ask a model what a trace teaches, many traces at a time.

In: TraceRecords. Out: Lessons, the lessons that were refused, a reason for every trace that could not be
analysed, and one row per model call. Promised: what a model says about outcome, ids or support counts for
nothing; a lesson stands only when its quote is found in the steps it names.
"""
