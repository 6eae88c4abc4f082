# Two commands for a fresh clone: `make demo` and `make test`. Set-up is part of each.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
COMMA := ,
export OMP_NUM_THREADS ?= 1
# Snakemake keeps a cache in the home folder and does not start where that is read-only.
CACHE := $(shell exec 2> /dev/null; d="$${XDG_CACHE_HOME:-$${HOME:?}/.cache}"; mkdir -p "$$d" && test -w "$$d" && echo kept)
ifneq ($(CACHE),kept)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

.PHONY: demo continual resume test test-browser test-recipes trials mutants test-faults test-cluster test-full fault-table lint clean

# In a terminal one bar per rule. Elsewhere, or where the plugin does not load, a short plain log, in
# which a failed job says itself what was wrong.
SNAKEMAKE = log="--quiet rules host"; \
  if test -t 1 && test -t 2 && $(BIN)/python -c "import snakemake_logger_plugin_rich" 2> /dev/null; \
  then log="--logger rich --show-failed-logs"; fi; \
  $(BIN)/snakemake $$log --cores $(CORES)

# The answer is printed after every run, also one with nothing left to do: not by a hook.
demo: .venv/.installed
	@$(SNAKEMAKE) --no-hooks
	@$(BIN)/mixlaws show

# Continual pre-training on the demo's text: the base, then the runs that continue it.
BASES := $(foreach s,25K 56K,$(foreach n,0 1,results/continual_base/runs/$(s)/uniform/seed-$(n)/losses.csv))
continual: .venv/.installed
	@$(SNAKEMAKE) --configfile experiments/continual_base.yaml -- $(BASES)
	@$(SNAKEMAKE) --no-hooks --configfile experiments/continual.yaml
	@$(BIN)/mixlaws show --configfile experiments/continual.yaml

# After anything died: make resume ARGS="--configfile experiments/NAME.yaml" (on a cluster add
# --profile slurm). What is whole is kept, what was interrupted goes on from its last state.
resume:
	@$(BIN)/snakemake --quiet all --unlock $(ARGS)
	@$(SNAKEMAKE) --rerun-incomplete $(ARGS)

test: .venv/.installed-tests
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not full and not cluster and not browser and not trials and not loaders"

# The page in chromium (Debian's package): what its script computes, keyboard, contrast, policy.
test-browser: .venv/.installed-tests
	$(BIN)/python -m pytest -m browser tests/browser --durations=5

# Recipes drawn from by the loaders of other projects, each in an environment of its own: they need
# torchvision, an older numpy, an older transformers.
test-recipes: .venv/.installed-tests .venv-litdata/.installed .venv-streaming/.installed
	$(BIN)/python -m pytest -m loaders tests/recipes

# A hundred random configs that pass the gate, to the page, on planted losses, hostile input by chance,
# mutants and fresh machines: some hours.
trials: .venv/.installed-tests
	$(BIN)/python -m pytest -m trials tests/config tests/hostile
	$(MAKE) mutants
	$(PYTHON) tests/fresh_machines.py $(CASES)

# Mutants of the science, 8 a module, against its mirrored tests; an environment of its own, because the
# demo's text comes from .venv and mutmut brings packages along.
mutants: .venv/.installed-tests .venv-mutants/.installed
	$(BIN)/python tests/mutants.py .venv-mutants/bin/python $(MODULES)

.venv-mutants/.installed: pyproject.toml | .venv/.installed
	$(BIN)/python -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	@touch $@

# Killed processes, full disks, damaged files: the bounded version, some ten minutes.
test-faults: .venv/.installed-tests
	$(BIN)/python -m pytest -m "not full and not cluster" tests/faults --durations=5

# A real SLURM of its own, from Debian's packages, as root: installed, started, stopped.
test-cluster: .venv/.installed-tests .venv-cluster/.installed
	$(BIN)/python -m pytest -m "cluster and not full" tests/cluster --durations=5

test-full: .venv/.installed-tests .venv-cluster/.installed
	$(BIN)/python -m pytest -m "not cluster and not loaders"
	$(BIN)/python -m pytest -m cluster
	$(MAKE) test-recipes

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

# What is missing for an installation is one line each.
.venv/bin/python:
	@test $(words $(CURDIR)) = 1 || { echo "Snakemake cannot start Python from a path with a space. \
	Move $(CURDIR)" >&2; exit 1; }
	@command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON). Install Python 3.11 to 3.13, \
	or name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
	  f"Python must be 3.11 to 3.13, found {v[0]}.{v[1]}: run make PYTHON=python3.12")'
	@$(PYTHON) -c "import venv, ensurepip" 2> /dev/null || { echo "$(PYTHON) has no venv with pip. \
	On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# $(call install,EXTRAS)
install = $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$(1)]" || { \
	  echo "The installation failed: pip says why above. It needs a package index (PIP_INDEX_URL) \
	and 2 GB of disk" >&2; exit 1; }

.venv/.installed: pyproject.toml | .venv/bin/python
	@$(call install,workflow$(COMMA)train)
	@touch $@

.venv/.installed-tests: pyproject.toml | .venv/bin/python
	@$(call install,workflow$(COMMA)train$(COMMA)tests$(COMMA)comparators)
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

.venv-litdata/.installed .venv-streaming/.installed: .venv-%/.installed: \
  tests/recipes/requirements-%.txt | .venv/bin/python
	$(BIN)/python -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --requirement $<
	@touch $@

# The documentation's site, in docs/_build/html. Warnings are errors: a link that leads nowhere is one.
# An environment of its own: the demo's text comes from .venv, where Sphinx would change docutils.
.PHONY: docs
docs: .venv-docs/.installed
	.venv-docs/bin/python -m sphinx -W --keep-going --jobs auto -q docs docs/_build/html
	@echo "The site: docs/_build/html/index.html"

.venv-docs/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --editable ".[docs]"
	@touch $@
