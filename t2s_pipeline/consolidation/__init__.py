"""Lessons in, Clusters out: what the traces of a skill say together.

The result is a function of the set of lessons: order and batching do not matter. Support is counted
here, never by a model. Every lesson ends in a rule, as a candidate, or refused with a reason.
"""
