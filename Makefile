# On a machine with Python 3.11 and make, `make test` and `make demo` do everything.

PYTHON ?= python3.11
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

.PHONY: setup demo test lint format benchmark clean

setup: .venv/installed

.venv/installed: pyproject.toml Makefile
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel setuptools_scm
	# seqeval's old setup script needs the setuptools and setuptools_scm of the line above.
	$(BIN)/python -m pip install --quiet --no-build-isolation seqeval
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/python -m tasks.ner --epochs=8

test: setup lint
	# In parts, each in processes of its own: what TensorFlow and XLA compile is never freed.
	$(PYTEST) tests/layers
	$(PYTEST) tests/zoo
	$(PYTEST) --ignore=tests/layers --ignore=tests/zoo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: setup
	$(BIN)/python -m tasks.benchmark

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis build *.egg-info
