# make run: the whole product on this machine. make test: everything is tested. Both do their own set-up.
PYTHON ?= python3
PORT   ?= 8780
DATA   ?= data
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
BIN    := .venv/bin
UI     := plugin/static/ui/manifest.json
export PATH := $(CURDIR)/.venv/node:$(PATH)
export REGISTRY IMAGE BUGS_URL WEBSITE_URL REPOSITORY_URL SCREENSHOTS_URL

.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt ui test-ui test-dav test-faults simulate bench bench-nextcloud fuzz package states lock clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 12

setup: .venv/.dev $(UI) ## the virtual environment with everything tests need, and the front end

run: .venv/.run $(UI) ## http://127.0.0.1:8780 (PORT=… DATA=…)
	@PORT="$(PORT)" DATA="$(DATA)" PARAPHEUR_DIE_WITH_PARENT=1 exec $(BIN)/python -m plugin.demo

test: setup ## the whole suite, file by file side by side (WORKERS=…), then what measures time
	@$(BIN)/python tools/needs.py
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone"
	$(BIN)/pytest -m alone

check: setup ## style, types, imports, translations, the page of states, manifests and container files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	cd plugin/ui && npm run --silent check
	$(BIN)/python tools/i18n.py check
	$(BIN)/python tools/states.py check
	$(BIN)/python tools/manifest.py
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml

fmt: .venv/.dev ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

ui: $(UI) ## build the front end

test-ui: setup ## the browser tests alone
	@$(BIN)/python tools/needs.py
	$(BIN)/pytest -m browser

test-faults: setup ## kills at every point, a host that fails in every way, two processes at once (FAULTS="--kills N --seed N …"): up to an hour
	@$(BIN)/python tools/needs.py
	$(BIN)/python -m tests.faults $(FAULTS)

test-dav: setup ## the file area alone
	$(BIN)/pytest tests/dav tests/demo

simulate: setup ## 100,000 flows with random faults, in simulated time (FLOWS=… FIRST=…); SEED=… replays one world to the letter
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(FLOWS),--flows $(FLOWS)) $(if $(FIRST),--first $(FIRST))

bench: setup ## what a signature costs, beside two peers and the limit; how long the index of 10,000 flows takes to come back
	$(BIN)/python -m tests.bench.seal_bench
	$(BIN)/python -m tests.bench.rebuild_bench

bench-nextcloud: setup ## the same on a real Nextcloud: NEXTCLOUD_URL=… as in docs/testing-nextcloud.md
	$(BIN)/python -m tests.bench.nextcloud_bench

fuzz: setup .venv/.fuzz ## 10,000 mutated documents, 5,000 images (FUZZ="--pdfs N --images N --seed N"), then guided (GUIDED="--seconds N")
	$(BIN)/python -m tests.pdfops.fuzz $(FUZZ)
	$(BIN)/python -m tests.pdfops.guided $(GUIDED)

package: .venv/.run $(UI) ## build/package: wheel, image context, both apps (REGISTRY=… IMAGE=… BUGS_URL=… and more: tools/package.py)
	@$(BIN)/python tools/package.py

states: .venv/.run ## docs/flow-states.md again, from the core
	$(BIN)/python tools/states.py write

lock: .venv/.dev ## the pinned requirements again, from pyproject.toml
	$(BIN)/python tools/lock.py

clean: ## all that was built; data stays
	rm -rf .venv plugin/static plugin/ui/node_modules build *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: pyproject.toml requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: pyproject.toml requirements-dev.txt | .venv/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.venv/.fuzz: requirements-fuzz.txt | .venv/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	@touch $@

.venv/.node: requirements-node.txt tools/node.py | .venv/.run
	@$(BIN)/python tools/node.py
	@touch $@

plugin/ui/node_modules/.package-lock.json: plugin/ui/package-lock.json | .venv/.node
	cd plugin/ui && npm ci --silent --no-audit --no-fund
	@touch $@

$(UI): plugin/ui/node_modules/.package-lock.json $(shell find plugin/ui/src -type f) plugin/ui/build.mjs tools/script_font.py $(wildcard plugin/locale/*/LC_MESSAGES/*.po) tools/i18n.py
	$(BIN)/python tools/script_font.py
	cd plugin/ui && npm run --silent build
	$(BIN)/python tools/i18n.py compile
	@touch $@
