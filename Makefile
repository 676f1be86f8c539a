# The commands of this project; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# A marker file: installation is repeated only when one of its prerequisites has changed.
INSTALLED := .venv/.installed
# PyPI has the CUDA libraries for this platform only.
CUDA_ONLY := sys_platform == "linux" and platform_machine == "x86_64"

.PHONY: help install sample test check fix docs viz lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

install: $(INSTALLED) ## create .venv with the exact versions of requirements.lock

sample: $(INSTALLED) ## train and evaluate on the built-in photographs, minutes on a laptop
	$(BIN)/kedro run --env=sample

test: $(INSTALLED) ## run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=2 --dist=loadscope

check: $(INSTALLED) ## run ruff, mypy, the import contracts and the spell checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

fix: $(INSTALLED) ## apply ruff's fixes and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED) ## build the documentation into site/; warnings are errors, and so is anything loaded from the net
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	! grep -rE '<(link|script|img|iframe)[^>]+(src|href)="?(https?:)?//' site --include='*.html'

viz: $(INSTALLED) ## open the pipelines and artifacts of the sample in Kedro-Viz
	$(BIN)/kedro viz run --env=sample

lock: $(INSTALLED) ## write the installed versions to requirements.lock
	$(BIN)/python -m pip freeze --exclude-editable \
	    | sed -E '/^(nvidia-|cuda-|triton)/ s/$$/ ; $(CUDA_ONLY)/' > requirements.lock

clean: ## remove .venv, caches and build outputs; keep data/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist site
