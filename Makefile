# `make run` is all a newcomer needs. Exit codes: make turns every failure into 2; pipelines call `tocsin` itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
LINKED := $(VENV)/.linked
PROVIDED := $(VENV)/.provided
UPGRADE ?=

.PHONY: help setup run drills test unit mutants-unit e2e soak coverage bench-proxy bench-traffic docker-up docker-down docker-clean check corpus lock clean
.NOTPARALLEL:

help:
	@echo "make setup    the virtual environment, and the programs the reference stack needs (nothing is installed)"
	@echo "make run      the tour: one short drill of everything, at 30 times the speed"
	@echo "make drills   every drill of scenarios/, at 30 times the speed"
	@echo "make test     unit tests, then drills of real servers;  make unit, make e2e: one half"
	@echo "make mutants-unit   do the unit tests notice a changed line of the checks, or of the evidence readers?"
	@echo "make soak     the tests that take many minutes"
	@echo "make coverage which lines the unit tests run, per package and in all"
	@echo "make bench-proxy    the proxy on an edge, beside toxiproxy"
	@echo "make bench-traffic   the load generator beside k6, wrk, hey and Locust's own, in about 8 minutes"
	@echo "make docker-up    a Docker engine of the tests' own with stand-in images (root on Debian 12); docker-down ends it,"
	@echo "             docker-clean removes it and its images"
	@echo "make check    lint, format, types"
	@echo "make corpus   compresses every rule below CORPUS=DIR, a folder of public rule collections, and prints a table"
	@echo "make lock     requirements.in -> requirements.lock (UPGRADE=--upgrade for newer versions)"
	@echo "make clean    removes what was made in this tree"

setup: $(LINKED)
	@$(BIN)/tocsin setup && touch $(PROVIDED)

run: $(PROVIDED)
	@$(BIN)/tocsin run scenarios/tour.yaml --speed 30

drills: $(PROVIDED)
	@$(BIN)/tocsin run scenarios/ --speed 30

test: unit e2e

unit: $(LINKED)
	@$(BIN)/pytest -q -n 2 -m "not e2e and not soak"

mutants-unit: $(LINKED)
	@$(BIN)/pip install -q --target build/mutmut -r tests/code_mutants/requirements.txt
	@PYTHONPATH=build/mutmut $(BIN)/python -m tests.code_mutants.run assertions
	@PYTHONPATH=build/mutmut $(BIN)/python -m tests.code_mutants.run evidence

e2e: $(PROVIDED)
	@$(BIN)/pytest -m "e2e and not soak"

soak: $(PROVIDED)
	@$(BIN)/pytest -m soak

coverage: $(LINKED)
	@$(BIN)/pytest -q -n 2 -m "not e2e and not soak" --cov --cov-report=term:skip-covered

bench-proxy: $(LINKED)
	@$(BIN)/python -m tests.benchmarks.proxy

bench-traffic: $(LINKED)
	@$(BIN)/python -m tests.benchmarks.traffic

docker-up: $(LINKED)
	@tests/docker/engine.sh start
	@set -e; found=$$(tests/docker/engine.sh env); eval "$$found"; $(BIN)/python tests/docker/images.py --prune >/dev/null
	@echo 'eval "$$(tests/docker/engine.sh env)"; eval "$$($(BIN)/python tests/docker/images.py)"    # leads this shell to it'

docker-down:
	@tests/docker/engine.sh stop

docker-clean:
	@tests/docker/engine.sh clean

check: $(LINKED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=stacks/reference $(BIN)/mypy -p service -p exporters -p pager
	@$(BIN)/mypy stacks/null/service.py
	@$(BIN)/mypy --allow-subclassing-any --disable-error-code import-not-found stacks/litserve/service.py

corpus: $(LINKED)
	@test -d "$(CORPUS)" || { echo "Name a folder of rule files: make corpus CORPUS=DIR" >&2; exit 64; }
	@$(BIN)/python tests/corpus/table.py "$(CORPUS)"

lock:
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip install -q uv
	@build/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE) \
	    requirements.in -o requirements.lock

clean:
	@rm -rf $(VENV) runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ "$$(id -u)" = 0 ]; then place=/var/cache/tocsin; else place=$${XDG_CACHE_HOME:-$$HOME/.cache}/tocsin; fi; \
	    echo "The unpacked programs stay in $${TOCSIN_CACHE:-$$place}; remove that folder by hand."

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is not Python 3.11 or later. Name one that is: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making $(VENV) from requirements.lock (about 400 MB)."
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# A plain path in the environment, so that folders added later are found, and no build tool is downloaded for it.
$(LINKED): $(LOCKED) pyproject.toml
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
	    --config-settings editable_mode=compat -e .
	@touch $@

$(PROVIDED): $(LINKED)
	@$(BIN)/tocsin setup
	@touch $@
