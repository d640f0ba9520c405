# Everything starts from a clean clone with Python 3.11 and nothing else.
PYTHON ?= python3.11
VENV := .venv
# The versions that .ci/run tests with; `make test-lowest` has others.
CONSTRAINTS := constraints.txt
EXTRAS := dev
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export RAY_USAGE_STATS_ENABLED := 0
# pip compiles 20 000 modules one after the other (a minute), most of them for nothing: Python compiles those that are imported.
# The tests start hundreds of processes: modules are compiled once, not once in each of them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test test-alone test-fast test-ray test-lowest test-cluster docs bench faults smoke lint type
.PHONY: format clean
.NOTPARALLEL:

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*##\(.*\)/\1:\2/p' $(MAKEFILE_LIST) | column -t -s :

setup: $(STAMP)  ## .venv with the project and all that its development needs

$(STAMP): pyproject.toml $(CONSTRAINTS)
	@start=$$(date +%s); \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[$(EXTRAS)]' && \
	echo "set-up: $$(( $$(date +%s) - start )) s"
	@touch $@

demo: $(STAMP)  ## a small study on rendered videos; its page is reports/quickstart/index.html
	$(BIN)/raysl run search_spaces/quickstart.yaml --format md,csv,html,svg $(DEMO_FLAGS)

TEST_PROCESSES ?= 2
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --durations=15
# In the order of files: sorted by their numbers of tests, the few long ones would come last, in one process.
SIDE_BY_SIDE := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: test-alone test-ray  ## all tests but test-cluster and test-gpu

test-alone: $(STAMP)  ## those that need no Ray, fast and slow: they are collected once
	$(TEST) $(SIDE_BY_SIDE) -m "not ray and not cluster and not gpu"

test-fast: $(STAMP)  ## tests of a second or two each
	$(TEST) $(SIDE_BY_SIDE) -m "not slow and not ray and not gpu"

test-ray: $(STAMP)  ## those that start a local Ray
	$(TEST) $(SIDE_BY_SIDE) -m "ray and not cluster" tests/engine

CLUSTER := cluster
LOWEST := test-fast
test-lowest:  ## test-fast on the lowest versions that pyproject.toml allows, in .venv-lowest (7 GB; not in .ci/run)
	$(MAKE) VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt EXTRAS=test $(LOWEST)

test-cluster: $(STAMP)  ## jobs, nodes, lost processes and stores: before you commit a change of raysl/engine
	$(TEST) $(SIDE_BY_SIDE) -m "$(CLUSTER)" tests/engine tests/work tests/test_signals.py

test-gpu: $(STAMP)  ## those that need a GPU, on this machine's
	$(TEST) -m gpu tests/gpu

docs: $(STAMP)  ## the documents as a site, build/site/index.html; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: $(STAMP)  ## every benchmark in its short form: all figures with their ratios, goals and floors
	$(BIN)/python -m benchmarks $(BENCH_FLAGS)

FAULTS := build/faults
faults: $(STAMP)  ## a sweep under 200 kills of its processes and nodes; half an hour
	$(BIN)/python -m tests.engine.kills $(FAULTS) $(FAULTS_FLAGS)

SMOKE := build/smoke
smoke: $(STAMP)  ## every shipped study at a scale of seconds
	$(BIN)/python -m tests.search_spaces.smoke $(SMOKE) $(SMOKE_FLAGS)

lint: $(STAMP) type  ## ruff, and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(STAMP)  ## mypy, strict, over the package and its tests
	$(BIN)/mypy

format: $(STAMP)  ## what ruff can put right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## removes the environments and all that was made
	rm -rf $(VENV) .venv-lowest results build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
