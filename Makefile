# Two commands do everything on a new machine with Python 3.11+, pip and make: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile
INSTALL := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check install --quiet

.PHONY: demo test test-all check bench bench-scale soak properties market mutants fuzz lock clean

demo: $(VENV)/run.stamp  ## the whole run on the bundled sample
	@$(BIN)/mtok demo

test: $(VENV)/test.stamp  ## all tests that need nothing but Python
	@$(PYTEST) -m "not root and not machine and not long and not soak"
	@echo "left out, see make test-all: a disk that is full (needs root), a browser, LibreOffice, PostgreSQL, Spark, a"
	@echo "simulated month, long property and crash runs, the built wheel; and style, types and layers (make check)"

test-all: test check $(VENV)/spark.stamp  ## everything, as CI runs it (Debian, root)
	@test "$$(id -u)" = 0 || { echo "make test-all needs root: it mounts a small file system and fills it" >&2; exit 2; }
	@apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  chromium libreoffice-calc-nogui openjdk-17-jre-headless postgresql >/dev/null
	@MTOK_SCREENSHOTS=dist/screenshots $(PYTEST) -m "(root or long or machine) and not soak"
	@rm -rf dist/*.whl dist/venv dist/demo && $(BIN)/python -m hatchling build -t wheel && $(BIN)/python -m zipfile -t dist/*.whl
	@$(PYTHON) -m venv --without-pip dist/venv
	@$(subst $(BIN),dist/venv/bin,$(INSTALL)) --require-hashes -r requirements/run.lock
	@$(subst $(BIN),dist/venv/bin,$(INSTALL)) --no-deps dist/*.whl
	@cd dist && venv/bin/mtok demo --store demo > demo.txt && grep -q "Qwen" demo.txt && echo "the wheel runs its demo"
	@cd dist && venv/bin/mtok verify demo --recompute --objects demo
	@cd dist && venv/bin/python ../scripts/check_served.py demo

check: $(VENV)/test.stamp  ## style, types, layers, lock files
	@$(BIN)/ruff check src tests scripts
	@$(BIN)/ruff format --check src tests scripts
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/test.stamp  ## ratios side by side in one run; publishing, verifying: scripts/bench.py --only publish, verify
	@$(BIN)/python scripts/bench.py
	@$(BIN)/python scripts/bench_market.py
	@$(BIN)/python scripts/bench_venue.py

SIZE ?= 10M

bench-scale: $(VENV)/test.stamp  ## reducing request logs against a bare scan of them, Spark, Polars, pandas; SIZE=1M, 10M, 100M, 1B
	@$(BIN)/python scripts/bench_scale.py "$(SIZE)"

soak: $(VENV)/test.stamp  ## random histories, flipped bytes and half-hourly days, half an hour; what it found is in docs/evidence
	@$(PYTEST) -m soak

properties: $(VENV)/test.stamp  ## generated inputs six times over: markets, payloads, numbers, schedules, archives
	@$(PYTEST) --hypothesis-profile=long tests/test_generated_markets.py tests/test_archive.py \
	  tests/test_facts.py tests/test_observations.py tests/test_numbers.py tests/test_schedule.py -m "not root and not machine and not long and not soak"

market: $(VENV)/test.stamp  ## books, worlds, paths and sequences of the market as often as docs/evidence says: an hour
	@for run in matching secrecy paths sequences; do $(BIN)/python scripts/market_evidence.py $$run || exit 1; done

mutants: $(VENV)/test.stamp  ## mutation of settlement and matching with mutmut, in a clone of its own: half an hour
	@$(INSTALL) 'mutmut==3.8.1'
	@$(BIN)/python scripts/mutate_market.py

SECONDS ?= 60

fuzz: $(VENV)/test.stamp  ## coverage-guided fuzzing of the decoders; make fuzz SECONDS=600
	@$(INSTALL) 'atheris==3.0.0'
	@for target in models rankings endpoints transport; do \
	  $(BIN)/python scripts/fuzz_decoders.py $$target --seconds $(SECONDS) || exit 1; done

lock: $(VENV)/test.stamp  ## rewrite requirements/*.lock from pyproject.toml
	@$(INSTALL) uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 pyproject.toml --extra venue --group build -o requirements/run.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 pyproject.toml --extra venue --extra mcp --extra pandas --extra polars --extra remote --group build --group test \
	  -c requirements/run.lock -o requirements/test.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 pyproject.toml --extra spark --group build -c requirements/test.lock -o requirements/spark.lock

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mtok needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Say which: make PYTHON=python3.12 …" >&2; exit 2; }
	@echo "setting up $(VENV) …"
	@$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/%.stamp: requirements/%.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing requirements/$*.lock …"
	@$(INSTALL) --require-hashes -r $<
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@
