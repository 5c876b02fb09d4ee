# Two commands for a newcomer: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PORT ?= 8000
CRM ?= dynamics
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test check bench prove conformance replay judges example lock clean setup

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: $(VENV)/.demo  ## the whole line on this machine: walk one member through it, keep serving (CRM=dynamics|suitecrm|sugarcrm; ONCE=1: end after the walk; PORT=…; STATE=file.json)
	@exec $(RUN) -m bridge demo --port $(PORT) --crm $(CRM) $(if $(ONCE),--once) $(if $(STATE),--state "$(STATE)")

test: $(VENV)/.dev  ## the whole test suite (ARGS=… goes to pytest)
	@$(RUN) -m pytest $(ARGS)

check: $(VENV)/.dev  ## lint, types, import rules, sizes
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/mypy --strict docs/examples/rest_table/adapter.py
	@$(VENV)/bin/lint-imports
	@$(RUN) tests/architecture/sizes.py

bench: $(VENV)/.dev  ## measure reads, writes and the token endpoint beside a plain build (ARGS=--quick for a short run)
	@$(RUN) -m benchmarks $(ARGS)

prove: $(VENV)/.dev  ## the long proofs: races, times, memory, hostile bytes (ARGS=--short; --only NAME; --write: docs/proof.md)
	@$(RUN) -m prove $(ARGS)

conformance: $(VENV)/.dev  ## the adapter contract's clauses (ADAPTER=dynamics|memory|sugarcrm|suitecrm; LIVE=1: on the system that BRIDGE_LIVE_… names)
	@$(RUN) -m $(if $(LIVE),adapters.conformance $(ADAPTER),pytest tests/conformance $(if $(ADAPTER),-k $(ADAPTER))) $(ARGS)

replay: $(VENV)/.dev  ## a recorded client on a line of each CRM: the same answers (ARGS=record records it anew)
	@$(RUN) -m tests.replay $(ARGS)

judges: $(VENV)/.dev  ## clients that others wrote, of OAuth and Dataverse against the whole line and of SugarCRM (needs Node 20 and npm)
	@$(RUN) -m tests.judges $(ARGS)

example:  ## build the React example anew (needs Node 20 and npm; the demo doesn't)
	@cd examples/react && npm ci --silent --no-audit --no-fund && npm run --silent build && \
	  cp node_modules/react/LICENSE public/LICENSE.react.txt && \
	  sha256sum app.jsx texts.js package.json package-lock.json public/app.js > BUILT

setup: $(VENV)/.dev  ## the virtual environment with everything

lock:  ## compile requirements*.in into the pinned files
	@for name in requirements requirements-sandbox requirements-dev; do \
	  $(VENV)/bin/pip-compile -q --strip-extras --generate-hashes --allow-unsafe \
	    --no-emit-index-url --no-emit-find-links -o $$name.txt $$name.in; done

clean:  ## remove the virtual environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .run

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which one with PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	  echo "This Python has no venv. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }

$(VENV)/.demo: requirements-sandbox.txt | $(VENV)/bin/python
	@echo "Installing pinned dependencies into $(VENV) …"
	@$(RUN) -m pip install -q --require-hashes -r requirements-sandbox.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing pinned dependencies into $(VENV) …"
	@$(RUN) -m pip install -q --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.demo
