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
READY_AUDIT := .venv/.ready-audit

# Any of these may be given: make chat LIBRARY=~/coverage PORT=8000
LIBRARY ?=
PORT ?=
ARGS ?=
# make clean setup HASHES=1: take only files whose SHA-256 stands in .ci/requirements.lock. All but torch and what its build
# brings (nvidia-*, triton): which build it is, is the index's choice, and so is its hash.
HASHES ?=
IN_LIBRARY := $(if $(LIBRARY),--library "$(LIBRARY)")

.PHONY: setup chat test lint bench torture bandit audit sbom lock clean

setup: $(READY)

# torch comes first and by itself: nothing that follows can then bring another build of it. Loading the embedding model
# once converts it, so that the first question need not.
$(READY): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "Recap needs Python 3.11 or newer. Install it, or run: make PYTHON=/path/to/python" >&2; exit 1; fi
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || "$(PYTHON)" -m venv --clear .venv \
	  || { echo "$(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	$(if $(HASHES),$(PIP) install --quiet --require-hashes --no-deps --only-binary :all: -r .ci/requirements.lock)
	$(PIP) install --quiet -c constraints.txt "torch==2.13.0"
	$(PIP) install --quiet -c constraints.txt $(if $(HASHES),--no-deps --no-build-isolation) -e .
	$(PY) -c 'from rag.config import Config; from rag.store.embed import load_embedder; load_embedder(Config()).embed(["ready"])'
	@touch $@

$(READY_TEST): $(READY)
	$(PIP) install --quiet -c constraints.txt -e '.[test,bench]'
	@touch $@

$(READY_AUDIT): $(READY)
	$(PIP) install --quiet -c constraints.txt -e '.[audit]'
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

# Every fault and attack with all its cases; `make test` runs the first few of each. It can be stopped and goes on. One
# row: make torture ARGS="ssrf". The report: artifacts/torture/report.md.
torture: $(READY_TEST)
	HF_HUB_OFFLINE=1 $(PY) -m tests.torture $(ARGS)

bandit: $(READY_TEST)
	$(PY) -m bandit --quiet --configfile pyproject.toml --recursive rag ui eval

# bandit, and whether a vulnerability is known of any pinned package. Exit status 2: that could not be asked.
audit: $(READY_AUDIT) bandit
	$(PY) .ci/audit.py

sbom: $(READY_AUDIT)
	@mkdir -p artifacts
	.venv/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o artifacts/sbom.json .venv
	@echo "artifacts/sbom.json: what is installed in .venv"

# .ci/requirements.lock: the versions of constraints.txt that Recap runs on, with the SHA-256 of every wheel that the index has.
OF_TORCH := torch triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc \
	cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)
lock: $(READY_AUDIT)
	.venv/bin/uv pip compile --quiet pyproject.toml -c constraints.txt --generate-hashes --universal --python-version 3.11 \
	  --only-binary :all: --no-header --no-annotate $(addprefix --no-emit-package ,$(OF_TORCH)) -o .ci/requirements.lock

bench: $(READY_TEST)
	HF_HUB_OFFLINE=1 $(PY) -m eval.bench $(ARGS)

# Not the library: what is in it may not be had again.
clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find rag ui eval tests -name __pycache__ -type d -prune -exec rm -rf {} +
