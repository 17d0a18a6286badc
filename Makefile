# `make run` and `make test` set up what they need; Python 3.11 or later is all that must be there.
#
#   make run ARGS="--problem 1"              make test PYTEST_ARGS="-m slow"
#   make test VENV=../elsewhere             an environment of its own
#   make mutants ARGS="models/grid.py"      faults put into the code: how many do the tests notice?

VENV = .venv
ARGS = --problem 2
PYTEST_ARGS =
PYTHON = $(VENV)/bin/python
PIP = $(PYTHON) -m pip install --quiet --disable-pip-version-check

.PHONY: run test mutants

run: $(VENV)/installed
	$(PYTHON) run.py $(ARGS)

test: $(VENV)/installed-dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy .
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

mutants: ARGS =
mutants: $(VENV)/installed-dev
	$(PIP) cosmic-ray==8.7.0
	$(PYTHON) bench/mutants.py $(ARGS)

# What is installed is as new as the files that name it.
$(VENV)/installed: requirements.txt $(PYTHON)
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt requirements-play.txt requirements-cluster.txt requirements.txt $(PYTHON)
	$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/installed

$(PYTHON):
	@rm -f $(VENV)/bin/python*  # links to a Python that is gone
	@for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
	    echo "$$python -m venv $(VENV)"; exec $$python -m venv "$(VENV)"; fi; done; \
	echo "error: no Python 3.11 or later with venv and pip: see https://www.python.org/downloads/" \
	  "(on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1
