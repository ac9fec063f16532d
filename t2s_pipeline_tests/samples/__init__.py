"""The traces that ship with the project, and the script that makes them.

In: nothing but a seed. Out: trace files under `data/inbox/` and `planted.json`, which names the mistakes
the agents were made to make. Promise: every tool call is executed against the real library, a verifier
decides every outcome, and the same versions of the libraries give the same bytes on any machine.
"""
