# Two commands do everything on a machine with Python 3.11 or newer and make:
#   make demo   sets up and checks two circuits of the model that ships, how far they overlap, and a repair, and
#               writes an HTML report
#   make test   sets up and runs the linter, the type checker and all tests
# And one more:
#   make docs   sets up and builds the documentation as a site, build/docs/index.html
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
MINI   := specs/mini

# No test and no demo needs the hub. Threads that wait by spinning slow busy machines down.
export HF_HUB_OFFLINE  = 1
export OMP_WAIT_POLICY = PASSIVE
# What Python compiles is kept, whatever the caller's environment says: else every process that is started compiles all
# that it imports, torch too, which takes three times as long.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lint style types suite docs clean

demo: $(VENV)/.installed
	mkdir -p build
	$(BIN)/circuitdsl diff $(MINI)/ioi.circuit $(MINI)/colored_objects.circuit
	$(BIN)/circuitdsl check $(MINI)/ioi.circuit $(MINI)/colored_objects.circuit \
		$(MINI)/reuse.circuit $(MINI)/repair.circuit --html $(CURDIR)/build/report.html

# The type checker uses one core: the tests begin beside it.
test: style
	$(MAKE) --jobs=2 types suite

lint: style types

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

# A worker more than there are cores, four at most: tests wait for clusters, browsers, and files that are looked at.
# In a new clone what tests import is compiled here, once, and not by every worker. Workers are copies of one Python that has
# the libraries (tests/conftest.py).
suite: $(VENV)/.installed-dev
	test -d tests/__pycache__ || $(BIN)/python -m pytest --collect-only -qq > /dev/null || true
	$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(min((os.cpu_count() or 1) + 1, 4))') --dist worksteal

docs: $(VENV)/.installed-dev
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo build/docs/index.html

# torch goes first and by its exact version: a bare `torch` pulls gigabytes of CUDA. Nothing is compiled in advance: Python
# compiles a module where it is first imported, and most of 18,000 never are.
# The pip that comes with Python may be an old one, which takes twice as long to find out what to install. Where no other
# can be had, it is used.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "circuitdsl needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	-$(BIN)/python -m pip install --quiet --no-compile --upgrade pip uv
	$(BIN)/python -m pip install --quiet --no-compile torch==$$(sed -n 's/^torch==//p' constraints.txt)
	touch $@

# uv takes a quarter of pip's time. Where it cannot be had, or knows no index where pip has one of its own, pip does it.
$(VENV)/.installed $(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[$(EXTRA)]' \
		|| $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[$(EXTRA)]'
	touch $@
$(VENV)/.installed: EXTRA := report
$(VENV)/.installed-dev: EXTRA := dev

clean:
	rm -rf $(VENV) build dist
