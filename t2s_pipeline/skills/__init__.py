"""Clusters and a base skill in, a spec-valid skill directory out, with lineage for every rule.

Documents are edited through a Markdown parser's source map; bytes outside an edit never change. An edit
that does not fit is refused before anything is written.
"""
