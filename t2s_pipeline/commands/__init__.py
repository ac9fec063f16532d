"""What the commands of `t2s` do. Each returns plain data; `screen` shows it, `cli` decides on exit codes.

Dagster is imported only by commands that start runs, and only when there is something to run.
"""
