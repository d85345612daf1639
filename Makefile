.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_VENV := .venv-bench
BENCH_INSTALLED := $(BENCH_VENV)/.installed
BENCH := $(BENCH_VENV)/bin/python -m
AUDIT_VENV := .venv-audit
AUDIT_INSTALLED := $(AUDIT_VENV)/.installed
SDK := sdk/typescript
SDK_INSTALLED := $(SDK)/node_modules/.installed
WEB := web
WEB_INSTALLED := $(WEB)/node_modules/.installed
PAGE := src/flowmaestro/web/index.html
PAGE_SOURCES = $(shell find $(WEB)/src $(WEB)/plugins $(SDK)/src -type f 2>/dev/null) $(WEB)/index.html $(WEB)/vite.config.ts
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help install demo test torture check format sdk-check sdk-build sdk-test web screenshots web-check fuzz bench bench-load schema-fixture audit lock clean

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Create .venv with the locked dependencies and this project

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "FlowMaestro needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## Watch a real workflow run over a real file, live
	@$(BIN)/flowmaestro demo $(ARGS)

test: $(INSTALLED) ## Run every test
	@$(BIN)/python -m pytest $(ARGS)

check: $(INSTALLED) ## Check format, lint, types and the import rule
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(INSTALLED) ## Rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

torture: $(INSTALLED) ## Kill, freeze and cut off a server for a minute, and check every event
	@$(BIN)/python -m torture $(ARGS)

sdk-check: $(SDK_INSTALLED) ## Check the TypeScript SDK: format, lint, types, package (needs Node 20)
	@cd $(SDK) && npm run --silent check

sdk-build: $(SDK)/dist/index.js ## Build the TypeScript SDK, if it has changed (needs Node 20)

$(SDK)/dist/index.js: $(SDK_INSTALLED) $(shell find $(SDK)/src -type f 2>/dev/null) $(SDK)/tsdown.config.ts
	@cd $(SDK) && npm run --silent build
	@touch $@

sdk-test: $(INSTALLED) $(SDK_INSTALLED) ## Run the TypeScript SDK's tests, also against a real server
	@cd $(SDK) && npm run --silent test

$(SDK_INSTALLED): $(SDK)/package-lock.json
	@command -v npm >/dev/null || { echo "The TypeScript SDK needs Node 20 or newer, with npm."; exit 1; }
	@cd $(SDK) && npm ci --loglevel error
	@touch $@

web: $(PAGE) ## Build the page that shows executions, if it has changed (needs Node 20.19)

$(PAGE): $(WEB_INSTALLED) $(PAGE_SOURCES)
	@cd $(WEB) && npm run --silent build

screenshots: $(INSTALLED) $(PAGE) ## Take pictures of the page, into build/screenshots (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

web-check: $(WEB_INSTALLED) ## Check the page: format, lint, types, unit tests
	@cd $(WEB) && npm run --silent check && npm run --silent test

$(WEB_INSTALLED): $(WEB)/package-lock.json
	@command -v npm >/dev/null || { echo "The page needs Node 20.19 or newer, with npm, to be built."; exit 1; }
	@cd $(WEB) && npm ci --loglevel error
	@touch $@

fuzz: $(INSTALLED) ## Fuzz everything that takes input, for a minute each; ARGS="--help" says how
	@$(BIN)/python -m tests.fuzz $(ARGS)

bench: $(BENCH_INSTALLED) ## Measure: engine, log, replay, start-up, history, fan-out (about 25 minutes)
	$(BENCH) benchmarks.startup
	$(BENCH) benchmarks.log_append
	$(BENCH) benchmarks.log_read
	$(BENCH) benchmarks.engine
	$(BENCH) benchmarks.replay
	$(BENCH) benchmarks.history
	$(BENCH) benchmarks.fanout

bench-load: $(INSTALLED) ## Measure load and overload, into docs/reliability.md (about 6 minutes)
	@$(BIN)/python -m benchmarks.load --markdown docs/reliability.md --plot docs/reliability-load.svg $(ARGS)

$(BENCH_INSTALLED): requirements/bench.txt pyproject.toml
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@echo "Installing what is measured and compared into $(BENCH_VENV) ..."
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

audit: $(AUDIT_INSTALLED) ## Look the locked dependencies up in lists of vulnerabilities (needs the network)
	@failed=0; for locked in requirements/*.txt; do \
		echo "$$locked"; \
		$(AUDIT_VENV)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes -r $$locked || failed=1; \
	done; \
	for project in $(SDK) $(WEB); do \
		echo "$$project"; \
		(cd $$project && npm audit) || failed=1; \
	done; exit $$failed

$(AUDIT_INSTALLED): requirements/audit.txt
	@test -x $(AUDIT_VENV)/bin/python || $(PYTHON) -m venv $(AUDIT_VENV)
	@$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

schema-fixture: $(INSTALLED) ## Keep a database as this version writes it, to test upgrades with
	@$(BIN)/python -m tests.support.schema_fixture

lock: ## Resolve the dependencies again (needs uv)
	uv pip compile pyproject.toml --extra dev $(LOCK) -o requirements/dev.txt
	echo "pip-audit>=2.9" | uv pip compile - $(LOCK) -o requirements/audit.txt
	uv pip compile pyproject.toml --extra dev --extra bench $(LOCK) -c requirements/dev.txt -o requirements/bench.txt

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(BENCH_VENV) $(AUDIT_VENV) $(SDK)/node_modules $(SDK)/dist $(WEB)/node_modules src/flowmaestro/web .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
