# Needs: make, Python 3.11 or newer and its venv module. Everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
# Images of containers set it. Then each process compiles every library anew: seconds, some hundred times in the tests.
unexport PYTHONDONTWRITEBYTECODE
# One process more than cores, for what tests wait for; at most four: each takes up to 1.5 GB. A file stays in one
# process, for what its tests share; files begin in the order of tests/conftest.py, else those with few and long tests
# would come last. Not in pyproject.toml: one file alone is quicker, and easier to debug, without.
PROCESSES = $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() + 1))')
SIDE_BY_SIDE = --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test lint conformance bench bench-models lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.stamp ## the whole way: a generated hospital, OMOP, a model, FHIR delivered, one report
	$(BIN)/passerelle demo

test: .venv/.stamp ## every test (those that need Java, helm or Chromium say so when they are skipped)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

lint: .venv/.stamp ## style, import rules of the rooms, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

conformance: .venv/.stamp ## every FHIR resource before the official HL7 validator and others (needs java, mvn, node, npm)
	test -d .conformance/demo/outbox || $(BIN)/passerelle demo --quick --workspace .conformance/demo
	$(BIN)/python -m tests.conformance --workspace .conformance/demo

bench: .venv/.stamp ## the measurements of docs/benchmarks
	$(BIN)/python -m benchmarks

MODEL ?= prescription_review
bench-models: .venv/.stamp ## the goals of a model beside what it does (MODEL=prescription_review)
	$(BIN)/python -m benchmarks.models $(MODEL)

lock: .venv/.stamp ## choose versions anew from pyproject.toml (no registry address in the file)
	$(BIN)/python -m uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock

clean: ## remove the environment and what builds and tests leave (never a workspace)
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: requirements.lock pyproject.toml .ci/install.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Passerelle needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "No environment could be made in .venv. On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python .ci/install.py
	@touch $@
