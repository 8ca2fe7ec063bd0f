# make chat: set up, fill the library from seeds/ if it is empty, open the chat on http://127.0.0.1:7860
# make test: set up with the test extras, run all tests. Neither needs a key, a hub or a GPU.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := setup

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python3.14 python; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$p"; break; fi; done)
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
READY := .venv/.ready
READY_TEST := .venv/.ready-test

# Any of these may be given: make chat LIBRARY=~/coverage PORT=8000
LIBRARY ?=
PORT ?=
ARGS ?=
IN_LIBRARY := $(if $(LIBRARY),--library "$(LIBRARY)")

.PHONY: setup chat test lint bench clean

setup: $(READY)

# torch comes first and by itself: nothing that follows can then bring another build of it. Loading the embedding model
# once converts it, so that the first question need not.
$(READY): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "Recap needs Python 3.11 or newer. Install it, or run: make PYTHON=/path/to/python" >&2; exit 1; fi
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || "$(PYTHON)" -m venv --clear .venv \
	  || { echo "$(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PIP) install --quiet -c constraints.txt "torch==2.13.0"
	$(PIP) install --quiet -c constraints.txt -e .
	$(PY) -c 'from rag.config import Config; from rag.store.embed import load_embedder; load_embedder(Config()).embed(["ready"])'
	@touch $@

$(READY_TEST): $(READY)
	$(PIP) install --quiet -c constraints.txt -e '.[test,bench]'
	@touch $@

chat: $(READY)
	@.venv/bin/recap ingest --if-empty seeds $(IN_LIBRARY)
	@.venv/bin/recap chat $(IN_LIBRARY) $(if $(PORT),--port "$(PORT)")

test: $(READY_TEST)
	HF_HUB_OFFLINE=1 $(PY) -m pytest $(ARGS)

lint: $(READY_TEST)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench: $(READY_TEST)
	HF_HUB_OFFLINE=1 $(PY) -m eval.bench $(ARGS)

# Not the library: what is in it may not be had again.
clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find rag ui eval tests -name __pycache__ -type d -prune -exec rm -rf {} +
