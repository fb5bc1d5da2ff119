# Restudy. `make book` and `make test` need git, make and Python 3.11+; the rest they install.
PYTHON ?= python3
PIP_ARGS ?=
PRESET ?= quick
BIN := .venv/bin

.PHONY: book test check bench serve clean
.DEFAULT_GOAL := book

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python {v[0]}.{v[1]} found, 3.11 or newer needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off $(PIP_ARGS) -r requirements.lock -e .
	$(BIN)/python -m pip check
	-$(BIN)/python -m restudy.nbody.rehearsal  # compiles ahead; without it a first run takes longer
	touch $@

book: .venv/installed
	$(BIN)/restudy build --preset $(PRESET)

test: .venv/installed
	$(BIN)/python -m pytest

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(git ls-files 'src/*.py')
	$(BIN)/codespell
	$(BIN)/nbstripout --verify $$(git ls-files '*.ipynb')

bench: .venv/installed
	$(BIN)/python benchmarks/traces.py
	$(BIN)/python benchmarks/telemetry.py
	$(BIN)/python benchmarks/telemetry_scale.py

serve: .venv/installed
	$(BIN)/restudy serve

clean:
	rm -rf build .venv
