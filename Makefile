# The project's commands. They need Python 3.11, git and make; CONTRIBUTING.md says what else each one makes use of.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CLIENT := .cache/client

# Tests of brokers wait most of the time, so that more of them run than there are cores.
WORKERS ?= 3

.PHONY: run test setup lint types pytest docs bench bench-cluster clean

# The demo on port 3000. ARGS are handed to it: make run ARGS="--listen tcp:4000".
run: $(VENV)/run client
	@client=$(CLIENT)/node_modules/socket.io-client/dist; \
	exec $(BIN)/twistd -n --pidfile= socketio $$(test -d $$client && echo --client-path $$client) $(ARGS)

# The npm package that browsers load. Without npm, or without a network, the demo page takes it from a public CDN.
.PHONY: client
client:
	@test -d $(CLIENT)/node_modules/socket.io-client || ! command -v npm >/dev/null || \
	npm install --silent --prefix $(CLIENT) socket.io-client@4 || echo "npm failed: the page will use the CDN"

# What can be done at the same time is, most of all what waits for a network.
test: $(VENV)/test $(VENV)/docs
	@$(MAKE) --jobs=3 --output-sync setup lint types docs
	@$(MAKE) pytest

setup:
	tests/setup.sh

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test
	$(BIN)/mypy

pytest: $(VENV)/test setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

docs: $(VENV)/docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/run
	$(BIN)/python benchmarks/run.py $(ARGS)

bench-cluster: $(VENV)/test setup
	$(BIN)/python benchmarks/cluster.py $(ARGS)

clean:
	rm -rf $(VENV) .cache .tox build docs/_build *.egg-info benchmarks/.cache benchmarks/node_modules

# One virtual environment; an empty file in it stands for each set of packages that is installed. Debian packs what
# makes one, ensurepip, apart.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -qq python3-venv >/dev/null; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: setup.py $(BIN)/python
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/test $(VENV)/docs: $(VENV)/%: setup.py $(BIN)/python
	$(BIN)/pip install --quiet --editable ".[$*]"
	@touch $@
