"""The Dagster layer: names the assets, passes resources to the core, reports metadata.

An asset is a sentence: it calls one function of the core. No SQL, no parsing and no business rule lives
here; everything can be run without Dagster.
"""

import warnings

import dagster as dg

# Backfill policies, code references and partitioned checks are marked beta or preview in Dagster 1.13; the
# version is pinned below 1.14, and the tests load and run all of them. `dagster dev` is marked superseded
# by a command of another package.
for _category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
    warnings.filterwarnings("ignore", category=_category)
