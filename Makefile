# Needs Python 3.11, git, make and gcc; everything else goes into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/installed.stamp
BENCHMARKS := $(basename $(notdir $(sort $(wildcard benchmarks/bench_*.py))))

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Create .venv from requirements.lock with the project in it

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "requirements.lock is for Python 3.11, this is %s; run: make install PYTHON=/path/to/python3.11" % sys.version.split()[0])'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet -r requirements.lock
	$(BIN)/pip install --quiet --no-build-isolation --no-deps -e .
	touch $@

demo: install ## Train, encode, index, evaluate, query and serve the sample corpus, until Ctrl-C; writes demo/
	$(BIN)/bitquarry demo --out demo

lint: install ## Style, types and import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --explicit-package-bases operators pipeline benchmarks tests
	$(BIN)/lint-imports

# Tests are small: on few cores, threads that wait for each other cost more than they do.
test: export OMP_NUM_THREADS = 1
test: lint ## Lint, then the whole test suite
	$(BIN)/pytest

bench: install ## Run every benchmark; results go to benchmarks/results/
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m "benchmarks.$$name"; done
