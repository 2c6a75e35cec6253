# Everything runs from a fresh clone: each target sets up .venv by itself, and again when the dependencies change.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Who says PYTHON= gets a .venv of that version: one of another is made anew.
VERSION := import sys; print(*sys.version_info[:2], sep=".")
HAS = $(shell test -x $(BIN)/python && $(BIN)/python -c '$(VERSION)')
WANTS = $(if $(filter file,$(origin PYTHON)),$(HAS),$(or $(shell $(PYTHON) -c '$(VERSION)'),$(error $(PYTHON) is no Python that runs)))
JOBS ?= $(shell nproc)
# Many tests wait for real processes: twice as many workers as cores keep the cores busy.
WORKERS ?= $(shell expr 2 '*' $(JOBS))
# Every change of the code has seeds of its own: the same ones each time that it is built. For others, say FROM=.
FROM ?= $(shell find actors protos runtime -name '*.py' -print \
  | LC_ALL=C sort | xargs cat | cksum | cut -d' ' -f1)
SEEDS ?= 220
PROGRAMS ?= 130
FAILOVERS ?= 50
UPGRADES ?= 50
POISONED ?= 30
DEADLINES ?= 30
AWAITED ?= 30
LOCKED ?= 30
OUTSIDE ?= 30
HELD ?= 30
EXAMPLES ?= 30
CHAIN ?= 25
RENAMED ?= 25
PAIRS ?= 150
CUTS ?= 100
SECONDS ?= 60
STORE ?= sqlite
CATALOGUES := actors examples.purchase examples.transfer examples.agent examples.trip
SCHEDULES := $(CATALOGUES:%=schedules-%) schedules-probed schedules-prices
PROVE := $(BIN)/python -m tests.proof

.PHONY: help install protos snapshot docs pictures format lint types test sim nightly schedules failpoints powercuts mutants
.PHONY: storm demo demo-page bench clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv with everything the tests and benches need

$(STAMP): pyproject.toml constraints.txt $(if $(filter-out $(HAS),$(WANTS)),anew)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.PHONY: anew
anew:
	@$(PYTHON) -m venv --clear .venv

protos: $(STAMP)  ## generate Python from every .proto file
	$(BIN)/amends protos runtime/protos protos examples/trip examples/purchase examples/transfer examples/agent tests/proof/programs

snapshot: $(STAMP)  ## keep the schemas as those of a release, which later ones may not break
	$(BIN)/python -m tests.tidy.schemas

docs: $(STAMP)  ## write those pages of docs/ that are made from the code
	$(BIN)/python -m tests.tidy.scenarios
	$(BIN)/python -m tests.tidy.failpoints

pictures: $(STAMP)  ## take the pictures of the operator's page in docs/ anew; needs chromium with its chromedriver
	$(BIN)/python -m tests.acceptance.pictures

format: $(STAMP)  ## format the code
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(STAMP)  ## style, banned calls, layer contracts
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports
	$(PROVE) lint runtime actors examples/trip examples/purchase examples/transfer examples/agent

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

test: $(STAMP)  ## the whole test suite
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

sim: $(STAMP)  ## what every build runs: seeds that once failed, fresh ones from FROM on, crashes, schedules, power cuts
	$(PROVE) simulate --list tests/sim/seeds.txt --jobs $(JOBS)
	$(PROVE) simulate --list tests/sim/random-seeds.txt --workload random --jobs $(JOBS)
	$(PROVE) simulate --list tests/sim/failover-seeds.txt --workload failover --jobs $(JOBS)
	$(PROVE) simulate --seeds $(SEEDS) --from $(FROM) --jobs $(JOBS)
	$(PROVE) simulate --seeds $(PROGRAMS) --from $(FROM) --workload random --jobs $(JOBS)
	$(PROVE) simulate --seeds $(FAILOVERS) --from $(FROM) --workload failover --jobs $(JOBS)
	$(PROVE) simulate --seeds $(UPGRADES) --from $(FROM) --workload upgrade --jobs $(JOBS)
	$(PROVE) simulate --seeds $(UPGRADES) --from $(FROM) --workload carry --jobs $(JOBS)
	$(PROVE) simulate --seeds $(CHAIN) --from $(FROM) --workload chain --jobs $(JOBS)
	$(PROVE) simulate --seeds $(RENAMED) --from $(FROM) --workload renamed --jobs $(JOBS)
	$(PROVE) simulate --seeds $(POISONED) --from $(FROM) --workload poisoned --jobs $(JOBS)
	$(PROVE) simulate --seeds $(DEADLINES) --from $(FROM) --workload deadlines --jobs $(JOBS)
	$(PROVE) simulate --seeds $(AWAITED) --from $(FROM) --workload awaited --jobs $(JOBS)
	$(PROVE) simulate --seeds $(LOCKED) --from $(FROM) --workload locked --jobs $(JOBS)
	$(PROVE) simulate --seeds $(OUTSIDE) --from $(FROM) --workload outside --jobs $(JOBS)
	$(PROVE) simulate --seeds $(HELD) --from $(FROM) --workload held --jobs $(JOBS)
	$(PROVE) simulate --seeds $(EXAMPLES) --from $(FROM) --workload examples --jobs $(JOBS)
	$(PROVE) failpoints --workload crash --pairs $(PAIRS) --jobs $(JOBS)
	@$(MAKE) --no-print-directory --jobs $(JOBS) --output-sync=target schedules powercuts

nightly:  ## the same with ten times the seeds, other ones each day, and all pairs; hours
	$(MAKE) sim FROM=$(shell date +%Y%m%d)0000 SEEDS=12000 PROGRAMS=8000 FAILOVERS=3000 UPGRADES=2000 POISONED=2000 \
	  DEADLINES=600 AWAITED=600 LOCKED=600 OUTSIDE=600 HELD=600 EXAMPLES=1000 CHAIN=400 RENAMED=400 \
	  PAIRS=1000000 CUTS=7000

.PHONY: $(SCHEDULES)
schedules: $(SCHEDULES)  ## every schedule of each saga of actors/ and examples/; each takes one core

$(CATALOGUES:%=schedules-%): schedules-%: $(STAMP)
	$(PROVE) explore $*.catalogue:catalogue

schedules-probed: $(STAMP)
	$(PROVE) explore tests.proof.probed_order:ProbedOrder

schedules-prices: $(STAMP)
	$(PROVE) explore examples.purchase.at_a_price:BuyChecked examples.purchase.at_a_price:BuyAtVersion

failpoints: $(STAMP)  ## a node killed at every failpoint, each time, and at every ordered pair of them
	$(PROVE) failpoints --workload crash --jobs $(JOBS)

powercuts: $(STAMP)  ## CUTS power cuts under the real SQLite store
	$(PROVE) powercuts $(CUTS) --from $(FROM)

mutants: $(STAMP)  ## every planted bug, the seed that finds it, and their page; hours
	$(PROVE) mutants --jobs $(JOBS) --page docs/proof/planted-bugs.md

storm: $(STAMP)  ## SECONDS of kills, freezes and cuts over real processes under load
	$(BIN)/python -m examples.storm --seconds $(SECONDS)

demo: $(STAMP)  ## four nodes on STORE=sqlite or postgresql, orders in both styles, a kill -9, and every order checked
	$(BIN)/python -m examples.demo --store $(STORE)

demo-page: $(STAMP)  ## four nodes under light load and the operator's page over them, until Ctrl-C; its buttons kill nodes
	$(BIN)/python -m examples.demo_page

bench: $(STAMP)  ## measure, and print the figures
	$(BIN)/python -m bench.actors
	$(BIN)/python -m bench.mesh
	$(BIN)/python -m bench.orders --nodes 1
	$(BIN)/python -m bench.orders --nodes 4

clean:  ## remove what was built
	rm -rf .venv .peers build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
