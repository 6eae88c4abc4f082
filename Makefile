# Two commands for a fresh clone: `make demo` and `make test`. Set-up is part of each.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-full lint clean

demo: .venv/.installed
	$(BIN)/snakemake --cores $(CORES) --show-failed-logs
	@echo "The report: results/demo/report.html"

test: .venv/.installed-tests
	$(BIN)/python -m pytest -m "not slow and not full"

test-full: .venv/.installed-tests
	$(BIN)/python -m pytest

lint: .venv/.installed-tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

# Everything but the environment: results, and what Snakemake knows of them.
clean:
	rm -rf results .snakemake

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
	  f"Python must be 3.11 to 3.13, found {v[0]}.{v[1]}: run make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/.installed-tests: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[tests,comparators]"
	@touch $@ .venv/.installed
