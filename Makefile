# Two commands are enough: `make run` and `make test`. Everything else is for people who work on it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Twice the processors: many tests wait for servers, brokers and timeouts.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')

.PHONY: run test lint format faults bench schema docs migrate clean

run: $(VENV)/.installed ## Serve a story to look at on http://127.0.0.1:8180
	@$(BIN)/python -m catalog db upgrade
	@$(BIN)/python -m catalog demo --serve

test: $(VENV)/.installed-test lint ## Lint, then the whole suite on SQLite and PostgreSQL
	@$(BIN)/python -m pytest -n $(WORKERS) --maxschedchunk 1

lint: $(VENV)/.installed-test ## Style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.installed-test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

faults: $(VENV)/.installed-test ## Kill, fill and break everything, more often than the suite does: some minutes
	@CATALOG_TEST_FAULTS=long $(BIN)/python -m pytest tests/faults -n 0 -v --timeout 900

bench: $(VENV)/.installed-test ## Programs that print ratios
	@for program in benchmarks/bench_*.py; do echo "== $$program"; $(BIN)/python $$program || exit; done

schema: $(VENV)/.installed ## Print the GraphQL schema into schema.graphql
	@$(BIN)/python -m catalog schema > schema.graphql

docs: $(VENV)/.installed ## Write what the reference pages have from the code
	@$(BIN)/python docs/generate.py

migrate: $(VENV)/.installed ## Bring the database to the newest revision
	@$(BIN)/python -m catalog db upgrade

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed

clean:
	@rm -rf $(VENV) catalog.db catalog.db-wal catalog.db-shm
