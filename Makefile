# Everything starts from a clean clone with Python 3.11 and nothing else.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: demo test test-fast smoke lint format clean setup

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@start=$$(date +%s); \
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' && \
	echo "set-up: $$(( $$(date +%s) - start )) s"
	@touch $@

demo: $(STAMP)
	$(BIN)/raysl run search_spaces/quickstart.yaml $(DEMO_FLAGS)

# Tests that start a Ray take a whole machine each, the others share it.
TEST_PROCESSES ?= 2
SIDE_BY_SIDE := -n $(TEST_PROCESSES) --dist loadfile

test: $(STAMP)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not ray"
	$(BIN)/python -m pytest -m ray

test-fast: $(STAMP)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not ray"

SMOKE := build/smoke
smoke: $(STAMP)
	$(BIN)/python -m tests.search_spaces.image_weights $(SMOKE)/weights
	$(BIN)/raysl run search_spaces --scale smoke --storage $(SMOKE)/store --reports $(SMOKE)/reports \
		--root imagenet_resnet50=$(SMOKE)/weights/imagenet_resnet50.pth \
		--root simclr_resnet50=$(SMOKE)/weights/simclr_resnet50.pth $(SMOKE_FLAGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) results build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
