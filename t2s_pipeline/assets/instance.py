"""The Dagster instance of a data root. Its folder is DAGSTER_HOME for `t2s run`, `t2s ui` and Dagster."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from t2s_pipeline.settings import DataPaths

DAGSTER_YAML = """\
# Written once by t2s; change it as you like, it is not overwritten.
# Storage is SQLite in this folder. For many machines: https://docs.dagster.io/deployment/oss

telemetry:
  enabled: false
nux:
  enabled: false

concurrency:
  runs:
    # A run is a fleet of analysts by itself. SQLite and two cores carry two runs well.
    max_concurrent_runs: 2
    tag_concurrency_limits:
      # Never two consolidations of one skill at once.
      - key: dagster/partition
        value:
          applyLimitPerUniqueValue: true
        limit: 1
  pools:
    # One step at a time asks a model, over all runs: its fleet of analysts fills the limits that are set for
    # the endpoint (T2S_MAX_IN_FLIGHT, …), and they are counted within one process.
    granularity: op
    default_limit: 1

run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  free_slots_after_run_end_seconds: 60

run_retries:
  enabled: true
  max_retries: 2
  # A failed asset has a retry policy of its own, and the inbox sensor asks again for unfinished batches.
  retry_on_asset_or_op_failure: false

retention:
  sensor:
    purge_after_days:
      skipped: 1
      failure: 30
      success: 30
"""

WORKSPACE_YAML = """\
load_from:
  - python_module:
      module_name: t2s_pipeline.definitions
      location_name: t2s_pipeline
"""


def dagster_home(paths: DataPaths) -> Path:
    """The instance's folder, with its configuration written on first use."""
    paths.dagster.mkdir(parents=True, exist_ok=True)
    for name, text in (("dagster.yaml", DAGSTER_YAML), ("workspace.yaml", WORKSPACE_YAML)):
        file = paths.dagster / name
        if not file.exists():
            part = file.with_name(f"{name}.{os.getpid()}.tmp")
            part.write_text(text, encoding="utf-8")
            part.replace(file)
    return paths.dagster


def instance_at(paths: DataPaths) -> dg.DagsterInstance:
    """The instance of this data root; close it by leaving its `with` block."""
    return dg.DagsterInstance.from_config(str(dagster_home(paths)))
