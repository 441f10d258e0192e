# `make` lists what can be done. Each target makes the virtual environment that it needs, the first time
# only. PYTHON names another interpreter, with an environment of its own: make test PYTHON=python3.13

PYTHON ?=
FOLDER ?=
ARGS ?=

FOUND := $(shell .ci/find-python $(PYTHON))
VENV := .venv-$(firstword $(FOUND))
BIN := $(VENV)/bin
RUN := $(BIN)/python -m

# Compiled files are worth having where tests and benchmarks start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-15s %s\n", $$1, $$2 }'

demo: $(VENV)/.runtime ## Watch a pipeline work and see its trace (FOLDER=... to search your own text)
	@$(BIN)/otelbridge demo $(if $(FOLDER),"$(FOLDER)")

test: $(VENV)/.test ## The tests (ARGS="-k name -x" to choose)
	$(RUN) pytest $(ARGS)

lint: $(VENV)/.dev ## Style, formatting and import rules
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Put the code into its format
	$(RUN) ruff check --fix-only --quiet .
	$(RUN) ruff format .

types: $(VENV)/.dev ## mypy (strict) and pyright, of the package and of programs that use it
	$(RUN) mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/python tests/run_type_programs.py

doctest: $(VENV)/.test ## The examples in docstrings
	$(RUN) pytest -q --doctest-modules otelbridge

examples: $(VENV)/.examples ## Every program in examples/ prints what it should
	$(BIN)/python tests/run_examples.py

coverage: $(VENV)/.test ## The tests with branch coverage, at least 95 %
	$(RUN) coverage erase
	$(RUN) coverage run -m pytest $(ARGS)
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

bench: $(VENV)/.test ## Speed and memory beside hand-written spans (ARGS=--short for a quick look)
	$(RUN) benchmarks $(ARGS)

backends: ## Build the real Jaeger, Collector and Kafka, once (needs Go, Maven and Java)
	@test -n "$(FOUND)"
	@"$(wordlist 2,99,$(FOUND))" tests/backends/build.py

test-backends: $(VENV)/.test ## The tests that run what `make backends` has built
	$(RUN) pytest tests/backends $(ARGS)

test-lowest: $(VENV)-lowest/.test ## The tests with the oldest dependencies that pyproject.toml allows
	$(VENV)-lowest/bin/python -m pytest --ignore=tests/langchain $(ARGS)

test-oldest-langchain: $(VENV)-oldest-langchain/.test ## Those of LangChain, with the oldest of all
	$(VENV)-oldest-langchain/bin/python -m pytest tests/langchain $(ARGS)

noninterference: $(VENV)-upstream/.test ## LangChain's and LangGraph's own tests, traced and not
	$(VENV)-upstream/bin/python tests/langchain/upstream/noninterference.py $(ARGS)

seam-ablation: $(VENV)/.test ## Each patched attribute of LangChain is needed by some test
	$(BIN)/python tests/langchain/seam_ablation.py $(ARGS)

ci: ## Everything that must hold, as CI runs it
	bash .ci/run

clean: ## Delete the environments and everything that was built
	rm -rf .venv-* .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find otelbridge tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment has levels, so that a first `make demo` waits for nothing that only tests need.
# A stamp holds until pyproject.toml changes; a higher level's stamp vouches for those below it.
LEVELS := $(VENV)/.runtime $(VENV)/.test $(VENV)/.examples $(VENV)/.dev
LOWEST := $(VENV)-lowest
UPSTREAM := $(VENV)-upstream
OLDEST := $(VENV)-oldest-langchain

$(VENV)/.test $(LOWEST)/.test: EXTRA := [test]
$(VENV)/.examples: EXTRA := [examples]
$(UPSTREAM)/.test: EXTRA := [upstream]
$(OLDEST)/.test: EXTRA := [oldest-langchain]
$(VENV)/.dev: EXTRA := [dev]
$(VENV)/.test: BELOW := $(VENV)/.runtime
$(VENV)/.examples: BELOW := $(VENV)/.runtime $(VENV)/.test
$(VENV)/.dev: BELOW := $(VENV)/.runtime $(VENV)/.test $(VENV)/.examples
$(LOWEST)/.test $(OLDEST)/.test: PINS = $$(sed -n '/^dependencies/,/^]/s/.*"\(.*\)>=\(.*\)".*/\1==\2/p' pyproject.toml)

$(LEVELS) $(LOWEST)/.test $(UPSTREAM)/.test $(OLDEST)/.test: pyproject.toml
	@test -n "$(FOUND)"
	@echo "Setting up $(@D)$(if $(EXTRA), with what $(EXTRA) adds) ..."
	@$(@D)/bin/python -m pip --version >/dev/null 2>&1 || \
		"$(wordlist 2,99,$(FOUND))" -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary \
		-e '.$(EXTRA)' $(PINS)
	@touch $(BELOW) $@

.PHONY: help demo test lint format types doctest examples coverage bench backends test-backends \
	test-lowest test-oldest-langchain noninterference seam-ablation ci clean
