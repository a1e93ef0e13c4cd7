# `make run` and `make test` do all the set-up: a virtual environment with what constraints.txt pins.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test test-all faults check bench format clean

run: $(VENV)/.installed
	$(BIN)/genframe run --plugin cdcgan

test: check
	$(BIN)/python -m pytest -n auto

test-all: check
	$(BIN)/python -m pytest -n auto -m ""

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

faults: $(VENV)/.installed-test
	FAULTS=full $(BIN)/python -m pytest -n auto tests/faults

bench: $(VENV)/.installed-test
	$(BIN)/python -m pytest bench --benchmark-only -p no:xdist

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "genframe needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

# The stamps: a second call installs nothing unless the pins or the project file changed.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed
