"""Trace files of any supported format in, `TraceRecord`s out.

What cannot be read is returned as a `Quarantined` with file, record and reason; read plus quarantined
equals what the files held. Reading is streaming: memory follows the largest record, not the file.
"""
