# Two commands do all the set-up: `make run` and `make test`. Everything else is listed by `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PACKAGES := contracts edge_agent device_registry cloud_api simulators firmware_mocks
WEB_SOURCES := $(shell find web -type f -not -name node-from-wheel.sh -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)
# Node from the machine if it is new enough, else the one that a locked wheel brought.
NODE_DIR := $(shell node -e 'process.exit(process.versions.node.split(".")[0] < 22 ? 1 : 0)' 2>/dev/null || echo "$(CURDIR)/.build/node/bin:")
# Tests keep their files in memory where there is room: on a disk they wait half of their time for it to have written.
IN_MEMORY := $(shell df --output=avail -B1G /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 >= 8 {print "TMPDIR=/dev/shm"}')
NPM := PATH="$(NODE_DIR)$$PATH" npm_config_cache="$(CURDIR)/.build/npm" npm_config_update_notifier=false npm

.PHONY: help run test check bench docs web lock format servers faults soak sbom clean

help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/.ready web/dist/.ready ## The whole system with two simulated communities; prints the console's address
	@exec $(BIN)/simulate demo

test: ## Everything CI runs
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target check servers web
	cd web && $(NPM) run --silent check && $(NPM) run --silent test
	$(IN_MEMORY) $(BIN)/pytest tests -n 3 --dist loadfile || \
	  $(IN_MEMORY) $(BIN)/pytest tests --last-failed --last-failed-no-failures none

check: .venv/.ready ## ruff, mypy and import-linter, in seconds
	$(BIN)/ruff check $(PACKAGES) tests
	$(BIN)/ruff format --check $(PACKAGES) tests
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.ready ## Put the code into the form that check wants
	$(BIN)/ruff check --fix $(PACKAGES) tests
	$(BIN)/ruff format $(PACKAGES) tests

bench: .venv/.ready .build/bench/.ready servers ## The measured comparison with peers, written to docs/benchmarks.md and .json
	$(BIN)/python -m tests.bench.run

# thingsboard-gateway, which nothing else uses, in an environment of its own.
.build/bench/.ready: locks/bench.txt
	test -x .build/bench/bin/python || $(PYTHON) -m venv .build/bench
	.build/bench/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/bench.txt
	@touch $@

faults: .venv/.ready servers ## The fault tests at full length, and with the journey on both sets of backends
	LINLI_FAULTS=long $(BIN)/pytest tests/faults tests/integration --timeout 900
	LINLI_FAULTS=long LINLI_BACKENDS=servers $(BIN)/pytest tests/faults tests/integration/journey --timeout 900
	LINLI_FAULTS=long $(BIN)/pytest tests/simulation -s

soak: .venv/.ready servers ## An hour at 500 messages/s: memory and open files of agent and cloud, to .build/soak.json
	$(BIN)/python -m tests.faults.soak 3600 .build

sbom: .build/sbom/.ready ## A bill of materials (CycloneDX) of what gateways and clouds are built with, to .build/sbom-*.json
	for set in edge cloud; do .build/sbom/bin/cyclonedx-py requirements locks/$$set.txt --pyproject pyproject.toml \
	  --output-reproducible --output-format JSON --output-file .build/sbom-$$set.json; done

.build/sbom/.ready: locks/sbom.txt
	test -x .build/sbom/bin/python || $(PYTHON) -m venv .build/sbom
	.build/sbom/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/sbom.txt
	@touch $@

docs: .venv/.ready web/dist/.ready ## Write again what is made from the code: vocabulary, profile schema, OpenAPI, the console's types, metrics
	$(BIN)/python -m contracts.documents
	$(BIN)/python -m cloud_api.openapi
	cd web && $(NPM) run --silent api
	$(BIN)/python -m tests.integration.ops.exported

web: web/dist/.ready ## The console's build

web/dist/.ready: $(WEB_SOURCES) | .venv/.ready
	cd web && $(NPM) ci --no-audit --no-fund --loglevel=error
	cd web && $(NPM) run --silent build
	@touch $@

.venv/.ready: locks/installer.txt locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Linli needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r locks/installer.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r locks/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e .
	@web/node-from-wheel.sh $(BIN)/python .build/node/bin
	@touch $@

servers: ## Mosquitto and Chromium for the tests, from Debian, where they are missing
	@tests/servers.sh

lock: ## Make locks/*.txt again from pyproject.toml; with UPGRADE=--upgrade also newer versions
	$(PYTHON) -m venv .build/uv && .build/uv/bin/pip install --quiet uv
	echo uv | .build/uv/bin/uv pip compile --quiet $(UPGRADE) --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 - -o locks/installer.txt
	for extra in build edge cloud dev; do .build/uv/bin/uv pip compile --quiet $(UPGRADE) --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --python-version 3.11 --extra $$extra pyproject.toml -o locks/$$extra.txt; done
	.build/uv/bin/uv pip compile --quiet $(UPGRADE) --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 locks/bench.in -o locks/bench.txt
	.build/uv/bin/uv pip compile --quiet $(UPGRADE) --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 locks/sbom.in -o locks/sbom.txt

clean: ## Remove what was built, not the data
	rm -rf .venv .build web/dist web/node_modules
