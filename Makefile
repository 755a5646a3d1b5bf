SHELL := /bin/sh
BIN := .venv/bin
ARGS ?=
# One more than the cores of a small machine: tests wait for servers and clocks a good deal.
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-engines lint docs bench calibrate chaos clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## Make .venv from requirements.lock; quick when nothing has changed.
	@PYTHON="$(PYTHON)" scripts/setup

demo: setup ## Run the whole loop on real data; ARGS="--once --no-browser" passes arguments on.
	@$(BIN)/watchkeeper demo $(ARGS)

test: lint ## Lint, types, import contracts and all tests; ARGS="-k name" passes arguments on.
	@scripts/provide chromium browser chromium chromium-browser google-chrome
	@scripts/provide openjdk-17-jre-headless Spark "$${JAVA_HOME:+$$JAVA_HOME/bin/}java"
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-engines: setup ## Only check that Spark profiles the same rows alike; needs Java 17.
	@tests/engines/run

lint: setup ## Style, types and import contracts.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: setup ## Renew the generated parts of docs/reference, and the pictures of the methods.
	@$(BIN)/python scripts/reference.py
	@$(BIN)/python scripts/pictures.py

bench: setup ## Compare with peers in the same run: time and peak memory; ARGS="--rows 100000".
	@benchmarks/run $(ARGS)

calibrate: setup ## Simulate 5,000 columns a case and hold every false-alarm rate against its promise; takes hours.
	WATCHKEEPER_CALIBRATION=$${WATCHKEEPER_CALIBRATION:-5000} $(BIN)/pytest tests/calibration -v --durations=10 $(ARGS)

chaos: setup ## Deliver for ten minutes while Slack and the workers fail at random; ARGS="--seed 11 --seconds 60".
	@$(BIN)/python scripts/chaos.py $(ARGS)

clean: ## Remove what the other targets have made.
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist benchmarks/.venv
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
