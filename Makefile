# make demo, make test: everything from a fresh clone. CONTRIBUTING.md has the rest.
PYTHON ?= python3
VENV := .venv/bin/python
WORKERS ?= --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

.PHONY: demo test test-fast lint docs style bench bench-zoo bench-peers bench-labels bench-service bench-folders bench-faults bench-workers
.DEFAULT_GOAL := test

demo: .venv/installed
	$(VENV) tools/demo.py

test: .venv/installed-dev
	$(VENV) -m pytest $(WORKERS)

test-fast: .venv/installed-dev
	$(VENV) -m pytest $(WORKERS) -m "not slow"

lint: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(VENV) -m mypy
	.venv/bin/lint-imports
	$(MAKE) --no-print-directory docs

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build  # --quiet would hide warnings from its strict mode

style: .venv/installed-dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/installed-dev
	$(VENV) -m tests.benchmarks speed
	$(VENV) -m tests.benchmarks memory
	$(VENV) -m tests.benchmarks headline

bench-zoo: .venv/installed-dev
	$(VENV) -m tests.benchmarks general --zoo $(ZOO)
	$(VENV) -m tests.benchmarks zoo --zoo $(ZOO)

bench-peers: .venv/installed-dev
	$(VENV) -m tests.benchmarks peers --looks $(LOOKS) --zoo $(ZOO)

bench-service: .venv/installed-dev
	test -e demo/model/model_card.json || $(VENV) tools/demo.py
	$(VENV) -m tests.benchmarks service

bench-folders: .venv/installed-dev
	$(VENV) -m tests.benchmarks folders

bench-faults: .venv/installed-dev
	$(VENV) -m tests.benchmarks faults

bench-workers: .venv/installed-dev
	$(VENV) -m tests.benchmarks workers

bench-labels: .venv/installed-dev
	$(VENV) -m tests.benchmarks labels --zoo $(ZOO) $(if $(SETS),--sets $(SETS))

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt requirements-serve.txt | .venv/bin/python
	$(VENV) -m pip install --quiet -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt requirements-onnx.txt .venv/installed
	$(VENV) -m pip install --quiet -r requirements-dev.txt
	@touch $@
