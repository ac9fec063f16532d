"""TraceRecords in, Lessons out. Two engines, one Lesson.

Every lesson carries evidence whose quote is found verbatim in the steps it names; a lesson that does not
is refused and counted, never repaired.
"""
