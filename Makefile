# `make` lists what can be done. Each target makes the virtual environment that it needs, the first time
# only. PYTHON names another interpreter, with an environment of its own: make test PYTHON=python3.13

PYTHON ?=
FOLDER ?=
VIEW ?=
ARGS ?=

FOUND := $(shell .ci/find-python $(PYTHON))
VENV := .venv-$(firstword $(FOUND))
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
# Tests share the processors; ARGS=-n0 lets one process run them, as a debugger needs.
PYTEST := pytest -n auto --dist worksteal

# Compiled files are worth having where tests and benchmarks start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-15s %s\n", $$1, $$2 }'

demo: $(VENV)/.runtime ## Watch a pipeline work and see its trace (FOLDER=... for your text, VIEW=1 to open it)
	@$(BIN)/otelbridge demo $(if $(FOLDER),"$(FOLDER)")
	@$(if $(VIEW),$(BIN)/otelbridge view last --open --choose-ports)

test: $(VENV)/.test ## The tests (ARGS="-k name -x" to choose)
	$(RUN) $(PYTEST) $(ARGS)

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
	$(RUN) coverage run -m $(PYTEST) $(ARGS)
	$(RUN) coverage combine --quiet
	$(RUN) coverage report

bench: $(VENV)/.test ## Speed and memory beside hand-written spans (ARGS=--short for a quick look)
	$(RUN) benchmarks $(ARGS)

backends: ## Build the real Jaeger, Collector and Kafka, once (needs Go, Maven and Java)
	@test -n "$(FOUND)"
	@"$(wordlist 2,99,$(FOUND))" tests/backends/build.py

test-backends: $(VENV)/.test ## The tests that run what `make backends` has built
	$(RUN) pytest tests/backends $(ARGS)

test-browser: $(VENV)/.browser ## The viewer's page in a real Chromium; screenshots go to artefacts/
	@tests/browser/prepare
	$(RUN) pytest tests/browser $(ARGS)

# Without the oracle's: what it compares with is one version of langchain-core.
test-oldest: $(VENV)-oldest/.test ## The tests with the oldest of all that pyproject.toml allows
	$(VENV)-oldest/bin/python -m $(PYTEST) --ignore=tests/oracle $(ARGS)

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
LEVELS := $(VENV)/.runtime $(VENV)/.test $(VENV)/.browser $(VENV)/.examples $(VENV)/.dev
UPSTREAM := $(VENV)-upstream
OLDEST := $(VENV)-oldest

$(VENV)/.runtime: EXTRA := [view]
$(VENV)/.test: EXTRA := [test]
$(VENV)/.browser: EXTRA := [browser]
$(VENV)/.examples: EXTRA := [examples]
$(UPSTREAM)/.test: EXTRA := [upstream]
$(OLDEST)/.test: EXTRA := [oldest]
$(VENV)/.dev: EXTRA := [dev]
$(VENV)/.test: BELOW := $(VENV)/.runtime
$(VENV)/.browser $(VENV)/.examples: BELOW := $(VENV)/.runtime $(VENV)/.test
$(VENV)/.dev: BELOW := $(VENV)/.runtime $(VENV)/.test $(VENV)/.browser $(VENV)/.examples
# The lower bounds of what the package itself needs, and of what its extras for users do; but for gRPC,
# whose words for a failure and whose state after a fork are those of each version.
$(OLDEST)/.test: PINS = $$(sed -n '/^dependencies =/,/^]/p; /^langchain =/p; /^view =/,/^]/p' pyproject.toml \
	| grep -o '"[^"]*>=[^"]*"' | grep -v grpcio | tr -d '"' | sed 's/>=/==/')

$(LEVELS) $(UPSTREAM)/.test $(OLDEST)/.test: pyproject.toml
	@test -n "$(FOUND)"
	@echo "Setting up $(@D)$(if $(EXTRA), with what $(EXTRA) adds) ..."
	@$(@D)/bin/python -m pip --version >/dev/null 2>&1 || \
		"$(wordlist 2,99,$(FOUND))" -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary --no-compile \
		-e '.$(EXTRA)' $(PINS)
	@touch $(BELOW) $@

.PHONY: help demo test lint format types doctest examples coverage bench backends test-backends \
	test-browser test-oldest noninterference seam-ablation ci clean
