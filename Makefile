# The commands of the README. Everything is installed into .venv, pinned by constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# A linter that is no Python package runs where it is installed, and is named where it is not.
if_installed = command -v $(1) >/dev/null || { echo "not checked: $(1) is not installed"; exit 0; }; $(1)

# VS Code's extension is built by Node; who has none can do everything else.
VSCODE := editor-client/vscode
STYLUA = $(shell test -x $(VSCODE)/node_modules/.bin/stylua && echo $(VSCODE)/node_modules/.bin/)stylua
has_node = node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null

.PHONY: help demo vscode test unit check check-lua check-shell check-vscode e2e first-hour wheel corpus cluster serving bench clean

help: ## Show this list
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.base ## Complete three snippets with the bundled model; pack the VS Code extension
	@if $(has_node); then $(MAKE) --no-print-directory $(VSCODE)/parrotlet.vsix || \
	  echo "the VS Code extension could not be packed; make vscode tries it again" >&2; fi
	@$(BIN)/parrotlet demo

vscode: $(VSCODE)/parrotlet.vsix ## Pack the VS Code extension
	@echo "VS Code: code --install-extension $(VSCODE)/parrotlet.vsix"

test: $(VENV)/.dev ## Unit and integration tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal \
	  -m "not e2e and not gpu and not network and not cluster and not serving and not first_hour"

unit: $(VENV)/.dev ## Unit tests only, within a minute
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal \
	  -m "not integration and not e2e and not gpu and not network and not cluster and not serving and not first_hour"

check: $(VENV)/.dev check-lua check-shell check-vscode ## Linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-lua: $(if $(shell $(has_node) && echo yes),$(VSCODE)/node_modules)
	@$(call if_installed,$(STYLUA)) --check editor-client/nvim
	@$(call if_installed,luacheck) --quiet --config editor-client/nvim/.luacheckrc editor-client/nvim

check-shell:
	@$(call if_installed,shellcheck) .ci/run $(wildcard editor-client/*/scripts/*.sh)

check-vscode:
	@if $(has_node); then $(MAKE) --no-print-directory $(VSCODE)/node_modules && cd $(VSCODE) && npm run --silent check; \
	  else echo "not checked: the VS Code extension, which needs Node 20 or newer"; fi

e2e: $(VENV)/.dev ## Real editors with the real server and the bundled model
	$(BIN)/python -m pytest --numprocesses 2 --dist load -m "e2e and not first_hour" tests/e2e

first-hour: $(VENV)/.dev ## Run the READMEs' commands in a fresh clone, a wheel, and long adaptations
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m first_hour tests/first_hour \
	  tests/integration/adaptation tests/e2e/vscode/test_vscode_models.py

wheel: $(VENV)/bin/python ## Build dist/parrotlet-VERSION-py3-none-any.whl
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

corpus: $(VENV)/.dev ## Build the default corpus from its lock (fetches archives)
	$(BIN)/python -m training.corpus training/configs/corpus.toml
	$(BIN)/python -m training.corpus.verify runs/corpus/default

cluster: .venv-cluster/.ready ## Test the corpus on many machines, in its own environment
	.venv-cluster/bin/python -m pytest -m cluster tests/cluster

serving: $(VENV)/.dev .venv-serving/.ready ## Test the model behind a real server, in its own environment
	$(BIN)/python -m pytest -m serving tests/serving

bench: $(VENV)/.dev ## Print every benchmark
	for file in tests/benchmarks/*/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean: ## Remove what make has made
	rm -rf $(VSCODE)/node_modules $(VSCODE)/dist $(VSCODE)/*.vsix
	rm -rf $(VENV) .venv-cluster .venv-serving build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(VSCODE)/node_modules: $(VSCODE)/package-lock.json
	npm ci --silent --prefix $(VSCODE)
	@touch $@

$(VSCODE)/parrotlet.vsix: $(VSCODE)/node_modules $(wildcard $(VSCODE)/src/*.ts $(VSCODE)/src/*/*.ts $(VSCODE)/scripts/*.mjs $(VSCODE)/media/* $(VSCODE)/*.json $(VSCODE)/*.md)
	@cd $(VSCODE) && npm run --silent package >/dev/null

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Parrotlet needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 3; }
	@$(PYTHON) -m venv $(VENV)

.venv-cluster/.ready: pyproject.toml constraints-cluster.txt
	$(PYTHON) -m venv .venv-cluster
	.venv-cluster/bin/python -m pip install --quiet --constraint constraints-cluster.txt --editable '.[cluster]'
	@touch $@

.venv-serving/.ready: constraints.txt constraints-serving.txt
	$(PYTHON) -m venv .venv-serving
	.venv-serving/bin/python -m pip install --quiet --constraint constraints.txt --constraint constraints-serving.txt 'transformers[serving]'
	@touch $@

# Ghost text, training and evaluation; what only developers need comes with 'make test'.
$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV): a minute or two, 0.4 GB to download ..."
	@$(PIP) --editable '.[train,evaluate]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the developers' tools too into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.base
