# The tasks of this repository. `make` alone lists them; the text after `##` is the list.
PYTHON ?= python3
ARGS ?=
UV ?= uv
BIN := .venv/bin
STAMP := .venv/.stamp
PACKAGES := loyalty_sdk drivers sync terminal_agent central_api tests bench
IMAGES ?= 10000
KILLS ?= 1000
SEEDS ?= 100
SEED_START ?= 1
INPUTS ?= 1000000
BYTES ?= 10000000
CYCLES ?= 1000
EXAMPLES ?= 500

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format check bench herd simulate contract replay crash kills fuzz-receipts fuzz-scanner replug receipt requirements clean

help:  ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv from the pinned, hashed requirements (every task does it when needed)

demo: $(STAMP)  ## sell a day at a shop, with outages and kills, and check every balance (ARGS=--json DATABASE_URL=…)
	@$(BIN)/loyalty-agent demo $(if $(DATABASE_URL),--central-database "$(DATABASE_URL)") $(ARGS)

test: lint  ## run the checks and the whole test suite (ARGS='tests/unit -k money')
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP)  ## run the checks alone: ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## let ruff repair and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: test  ## the same as test, by the name that many look for

bench: build/bench/peers/.stamp  ## measure beside other libraries, in turns, in one run (ARGS='--rows "in process"')
	$(BIN)/python -m bench $(ARGS)

herd: build/bench/peers/.stamp  ## let 10,000 terminals come back at once, simulated; writes docs/herd.md and its plot
	$(BIN)/python -m tests.herd --write $(ARGS)

simulate: $(STAMP)  ## terminals and central under every fault, from seeds (SEEDS=100 SEED_START=1 ARGS='--jobs 2')
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --seed-start $(SEED_START) $(ARGS)

contract: $(STAMP)  ## hold central, on both databases, and the agent to their OpenAPI documents (EXAMPLES=500 ARGS='--seed 1')
	$(BIN)/python -m tests.contract --examples $(EXAMPLES) $(ARGS)

replay: $(STAMP)  ## replay receipts on PostgreSQL, and compare every balance with plain SQL (DATA=online_retail.csv.gz)
	$(BIN)/python -m tests.acceptance.plain_sql $(DATA) $(ARGS)

crash: $(STAMP)  ## cut the power under the journal and open what is left (IMAGES=10000)
	$(BIN)/python -m tests.crash.power_cut --images $(IMAGES) $(ARGS)

kills: $(STAMP)  ## kill a process with the journal under load, again and again (KILLS=1000)
	$(BIN)/python -m tests.crash.kills --kills $(KILLS) $(ARGS)

fuzz-receipts: $(STAMP)  ## put hostile texts into every field that can reach paper (INPUTS=1000000)
	$(BIN)/python -m tests.fuzz.receipts --inputs $(INPUTS) $(ARGS)

fuzz-scanner: $(STAMP)  ## bring bytes without sense to the scanner's protocols and count what comes out (BYTES=10000000)
	$(BIN)/python -m tests.scanning.fuzz --bytes $(BYTES) $(ARGS)

replug: $(STAMP)  ## pull a scanner's plug in mid-code and plug it in, again and again (CYCLES=1000)
	$(BIN)/python -m tests.scanning.replug --cycles $(CYCLES) $(ARGS)

receipt: $(STAMP)  ## draw the receipt that README shows, docs/receipt.png
	$(BIN)/python -m terminal_agent.demo.picture docs/receipt.png

requirements:  ## pin the requirements again (UV=path/to/uv)
	@command -v $(UV) >/dev/null || { echo "No '$(UV)' here. It alone can pin for every platform; install uv, or name it: make requirements UV=/path/to/uv" >&2; exit 1; }
	$(UV) lock
	$(UV) export -q --locked --all-packages --all-extras --all-groups --no-emit-workspace --no-header --no-annotate \
		--format requirements.txt -o requirements-dev.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url bench/requirements.in -o requirements-bench.txt

clean:  ## remove what the tasks made, the environment too
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +

# Two steps of pip, because hashes and editable installations do not go together. The stamp is made last, so that a
# set-up that was broken off is started again.
$(STAMP): pyproject.toml loyalty_sdk/pyproject.toml requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "No '$(PYTHON)' here. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "'$(PYTHON)' is $$($(PYTHON) --version 2>&1); Python 3.11 or newer is needed. Name one: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "'$(PYTHON)' has no venv module. Install it (on Debian and Ubuntu: the package python3-venv), or name another Python: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up .venv (this takes less than a minute)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r requirements-dev.txt
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e ./loyalty_sdk -e .
	@$(BIN)/python -m pip check
	@touch $@

# What the benchmarks compare with; a folder of its own, so that the environment stays what it is.
build/bench/peers/.stamp: $(STAMP) requirements-bench.txt
	@rm -rf build/bench/peers
	@$(BIN)/python -m pip install -q --require-hashes --only-binary :all: --target build/bench/peers -r requirements-bench.txt
	@touch $@
