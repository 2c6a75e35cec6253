# Everything runs from a fresh clone: each target sets up .venv by itself, and again when the dependencies change.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SEEDS ?= 500
FROM ?= 100000

.PHONY: help install protos snapshot docs format lint types test sim demo bench clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## make .venv with everything the tests and benches need

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

protos: $(STAMP)  ## generate Python from protos/*.proto, and from that of the example
	$(BIN)/python -m grpc_tools.protoc -I. --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --python_out=. --mypy_out=quiet:. --grpc_python_out=. --mypy_grpc_out=quiet:. protos/*.proto examples/trip/*.proto
	@find protos examples -name '*_pb2_grpc.py*' -exec grep -L 'Stub' {} + | xargs -r rm -f

snapshot: $(STAMP)  ## keep the schemas as those of a release, which later ones may not break
	$(BIN)/python -m tests.tidy.schemas

docs: $(STAMP)  ## write those pages of docs/ that are made from the code
	$(BIN)/python -m tests.tidy.scenarios
	$(BIN)/python -m tests.tidy.failpoints

format: $(STAMP)  ## format the code
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(STAMP)  ## style, banned calls, layer contracts
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

test: $(STAMP)  ## the whole test suite
	$(BIN)/python -m pytest -n auto

sim: $(STAMP)  ## whole clusters under faults: the seeds that once failed, and SEEDS fresh ones from FROM on
	$(BIN)/python -m runtime.testing simulate --list tests/sim/seeds.txt
	$(BIN)/python -m runtime.testing simulate --seeds $(SEEDS) --from $(FROM)

demo: $(STAMP)  ## four nodes, orders in both styles, a kill -9, and every order checked
	$(BIN)/python -m examples.demo

bench: $(STAMP)  ## measure, and print the figures
	$(BIN)/python -m bench.actors
	$(BIN)/python -m bench.mesh
	$(BIN)/python -m bench.orders --nodes 1
	$(BIN)/python -m bench.orders --nodes 4

clean:  ## remove what was built
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
