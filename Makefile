# Everything that this project is asked to do. `make help` lists it.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# What it stands for is done again only when a file that it comes from has changed.
INSTALLED := .venv/.installed
# PyPI has the CUDA libraries for this platform alone.
CUDA_ONLY := sys_platform == "linux" and platform_machine == "x86_64"

.PHONY: help install sample test check fix viz lock clean

help: ## what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

install: $(INSTALLED) ## make .venv with the exact versions of requirements.lock

sample: $(INSTALLED) ## from the built-in photographs to a results table, minutes on a laptop
	$(BIN)/kedro run --env=sample

test: $(INSTALLED) ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=2 --dist=loadscope

check: $(INSTALLED) ## ruff, format, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(INSTALLED) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

viz: $(INSTALLED) ## the pipelines and artifacts of the sample in a browser
	$(BIN)/kedro viz --env=sample

lock: $(INSTALLED) ## write the versions that are installed now into requirements.lock
	$(BIN)/python -m pip freeze --exclude-editable \
	    | sed -E '/^(nvidia-|cuda-|triton)/ s/$$/ ; $(CUDA_ONLY)/' > requirements.lock

clean: ## remove .venv and caches; data/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
