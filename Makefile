# Two commands for a fresh clone: `make demo` and `make test`. Set-up is part of each.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
export OMP_NUM_THREADS ?= 1

# A shell reads a path with a blank as two.
ifneq ($(words $(CURDIR)),1)
$(error The folder '$(CURDIR)' has a blank in its path, with which no job can start. Rename or move it)
endif

.PHONY: demo resume test trials test-faults test-cluster test-full fault-table lint clean

demo: .venv/.installed
	$(BIN)/snakemake --cores $(CORES) --show-failed-logs
	@echo "The report: results/demo/report.html"

# After anything died: make resume ARGS="--configfile experiments/NAME.yaml" (on a cluster add
# --profile slurm). What is whole is kept, what was interrupted goes on from its last state.
resume:
	$(BIN)/snakemake --unlock --quiet all $(ARGS)
	$(BIN)/snakemake --cores $(CORES) --rerun-incomplete --show-failed-logs $(ARGS)

test: .venv/.installed-tests
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not full and not cluster and not trials"

# A hundred random configs that pass the gate, to the page, on planted losses: about an hour.
trials: .venv/.installed-tests
	$(BIN)/python -m pytest -m trials tests/config

# Killed processes, full disks, damaged files: the bounded version, some ten minutes.
test-faults: .venv/.installed-tests
	$(BIN)/python -m pytest -m "not full and not cluster" tests/faults --durations=5

# A real SLURM of its own, from Debian's packages, as root: installed, started, stopped.
test-cluster: .venv/.installed-tests .venv-cluster/.installed
	$(BIN)/python -m pytest -m "cluster and not full" tests/cluster --durations=5

test-full: .venv/.installed-tests .venv-cluster/.installed
	$(BIN)/python -m pytest -m "not cluster"
	$(BIN)/python -m pytest -m cluster

# Every fault, an hour or two: rewrites the table in docs/reliability.md.
fault-table: .venv/.installed-tests .venv-cluster/.installed
	rm -f .faults.jsonl
	-MIXLAWS_FAULT_RECORDS=$(CURDIR)/.faults.jsonl $(BIN)/python -m pytest tests/faults tests/cluster
	$(BIN)/python tests/faults/recording.py .faults.jsonl

lint: .venv/.installed-tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

# Everything but the environment: results, and what Snakemake knows of them. The folder has a README.
clean:
	find results -mindepth 1 ! -path results/README.md -delete
	rm -rf .snakemake

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
	  f"Python must be 3.11 to 3.13, found {v[0]}.{v[1]}: run make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[workflow,train]"
	@touch $@

.venv/.installed-tests: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[workflow,train,tests,comparators]"
	@touch $@ .venv/.installed

# The SLURM plugin asks for a SLURM at every start of Snakemake, ten seconds where none answers: it
# stays out of .venv, whose packages this environment reads. No pip or setuptools of its own: the
# demo's text comes from the environment, and must be the same in both.
.venv-cluster/.installed: pyproject.toml | .venv/.installed
	$(BIN)/python -m venv --without-pip .venv-cluster
	$(BIN)/python -c 'import pathlib, sysconfig; \
	  base = pathlib.Path(sysconfig.get_path("purelib")); \
	  own = pathlib.Path(".venv-cluster", *base.parts[-3:]); \
	  (own / "base.pth").write_text(f"import site; site.addsitedir({str(base)!r})\n")'
	$(BIN)/python -m pip --python .venv-cluster/bin/python install --quiet --ignore-installed \
	  --no-deps $$($(BIN)/python -m pip freeze | grep ^snakemake==)
	$(BIN)/python -m pip --python .venv-cluster/bin/python install --quiet \
	  $$(sed -n 's/^cluster = \["\(.*\)"\]/\1/p' pyproject.toml)
	@touch $@
