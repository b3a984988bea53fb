# Needs git, make and Python 3.11 or later, nothing else. `make demo` runs it, `make test` checks it.
.PHONY: help setup demo test bench soak docs lock clean
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST_ARGS ?=
PYTEST_SPREAD := -n 2 --dist worksteal # two at a time: half of their time is waiting

help: ## What there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/stamp ## Make .venv with sqm in it (the others do this themselves)

.venv/stamp: requirements.lock pyproject.toml tools/setup
	@PYTHON="$(PYTHON)" tools/setup

demo: .venv/stamp ## A real Kafka, simulated services, and the live page
	@$(BIN)/sqm demo

test: .venv/stamp ## Linters, strict types, import rules, all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(PYTEST_SPREAD) $(PYTEST_ARGS)

bench: .venv/stamp ## Speed beside a bare Kafka read loop and Kafka Streams
	$(BIN)/python -m tests.benchmarks

SOAK_ARGS ?=

soak: .venv/stamp ## The fault table in its long form, about an hour; writes soak.md
	@$(BIN)/python -m tests.faults $(SOAK_ARGS)

docs: .venv/stamp ## The generated reference pages
	$(BIN)/python -m api.reference

lock: ## Pin anew what pyproject.toml asks for
	$(BIN)/uv pip compile -q --universal --generate-hashes --upgrade --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes -c requirements.lock pyproject.toml -o deploy/requirements.lock

clean: ## Remove .venv, caches and the demo's data
	rm -rf .venv .sqm dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
