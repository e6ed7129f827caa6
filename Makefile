# make demo | make test | make bench | make check: everything a fresh clone needs is fetched into .venv and .tools.
SHELL := /bin/sh
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)
BIN := .venv/bin

.PHONY: demo test check bench clean

demo: .venv
	@$(BIN)/telegram-channel demo

test: .venv
	@$(BIN)/python -m pytest $(ARGS)

check: .venv
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv
	@$(BIN)/python -m bench $(ARGS)

.venv: .venv/.installed

# Compiled at once: a server that has to compile at its first start answers the client late.
.venv/.installed: pyproject.toml | $(UV)
	@echo "Making .venv ..." >&2
	@UV_COMPILE_BYTECODE=1 $(UV) sync --quiet --all-groups
	@touch $@

.tools/uv/bin/uv:
	@echo "Fetching uv into .tools ..." >&2
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis
