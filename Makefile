# One command on a fresh machine: `make figures` or `make test`. `make help` lists the targets.

PYTHON  ?= python3
PROFILE ?= lite
VENV    ?= .venv
TRAIN   ?= 0

PY    := $(VENV)/bin/python
STAMP := $(VENV)/.installed-test

NOTEBOOKS = MAVTON_PROFILE=smoke exec $(PY) -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=180 notebooks

# The environment belongs to this Makefile: no figure-less kernels, no packages of another Python.
unexport MPLBACKEND PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install figures study bench test test-fast test-notebooks test-browser coverage lint format lab studio doctor clean clean-all

help:  ## list the targets
	@echo "usage: make TARGET [PROFILE=smoke|lite|paper] [PYTHON=python3]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  %-10s %s\n", $$1, $$2}'

# The stamp is newer than what was installed from, so a second call installs nothing.
$(STAMP): pyproject.toml requirements-nodeps.txt
	@$(PYTHON) -c 'import sys; ok = sys.version_info >= (3, 11); ok or print(f"mavton_lite needs Python 3.11 or newer, but \"$(PYTHON)\" is {sys.version.split()[0]}; try: make PYTHON=python3.12 $(MAKECMDGOALS)", file=sys.stderr); sys.exit(not ok)'
	@$(PY) -m pip --version >/dev/null 2>&1 || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the package and what notebooks, tests and photographs need (minutes the first time)"
	@$(PY) -m pip install --quiet --editable '.[notebooks,test,photo]' \
	|| { echo "the installation did not end; PyTorch and its GPU libraries want 10 GB, $$(df -Ph . | awk 'NR == 2 {print $$4}') are free here" >&2; exit 1; }
	@$(PY) -m pip install --quiet --no-deps $$(grep -vE '^(#|mediapipe)' requirements-nodeps.txt)
	@grep '^mediapipe' requirements-nodeps.txt > $(VENV)/optional.txt; \
	$(PY) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' \
	&& $(PY) -m pip install --quiet --no-deps --requirement $(VENV)/optional.txt \
	|| echo "note: no mediapipe for this Python or machine; photographs use another backend (make doctor)"
	@touch $@

$(VENV)/.installed-lab: $(STAMP)
	@$(PY) -m pip install --quiet --editable '.[lab]'
	@touch $@

$(VENV)/.installed-bench: $(STAMP)
	@$(PY) -m pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.installed-browser: $(VENV)/.installed-lab
	@$(PY) -m pip install --quiet --editable '.[browser]'
	@touch $@

install: $(STAMP)  ## make the virtual environment; done by every target that needs it

figures: $(STAMP)  ## run the notebooks: every figure and table (PROFILE=smoke to try it; TRAIN=1 trains anew, hours)
	@MAVTON_TRAIN=$(TRAIN) exec $(PY) -m mavton_lite figures --profile $(PROFILE)

study: $(STAMP)  ## baselines and ablations over three seeds, hours; goes on where it stopped (ARGS="--jobs 2 --steps 800")
	@exec $(PY) -m mavton_lite study --profile $(PROFILE) $(ARGS)

test: $(STAMP) lint  ## lint, unit tests, and every notebook at the smoke profile
	@exec $(PY) -m pytest tests -n auto --dist loadfile --ignore tests/browser
	@$(NOTEBOOKS)

test-fast: $(STAMP)  ## unit tests only
	@exec $(PY) -m pytest tests -n auto --dist loadfile -x -q --ignore tests/browser

test-notebooks: $(STAMP)  ## every notebook at the smoke profile
	@$(NOTEBOOKS)

coverage: $(STAMP)  ## unit tests, and which lines of the package they never reach; under 90 % is an error
	@exec $(PY) -m pytest tests -n auto --dist loadfile -q --ignore tests/browser \
		--cov --cov-report=term --cov-report=xml --cov-fail-under=90

test-browser: $(VENV)/.installed-browser  ## widgets in JupyterLab and the studio's page, in a headless Chromium
	@exec $(PY) -m pytest tests/browser

soak: $(STAMP)  ## kill data generation, training, evaluation and figures at random moments, and compare; three minutes
	@exec $(PY) tests/soak/run.py $(ARGS)

# Without ARGS everything is measured, and the tables are written.
bench: $(VENV)/.installed-bench  ## speed beside plain code of the same, as ratios, into BENCHMARKS.md; three minutes (ARGS="-k try_on")
	@exec $(PY) -m pytest benchmarks -q -p no:cacheprovider -p no:xdist --benchmark-columns=min,median,max,rounds \
		$(if $(ARGS),$(ARGS),--table BENCHMARKS.md)

inputs: $(STAMP)  ## try every broken input of the tests, and write into RELIABILITY.md how each kind was refused
	@exec $(PY) tests/broken/report.py

lint: $(STAMP)  ## ruff over code and notebooks, mypy over the package, the workflow against its schema
	@exec $(PY) -m ruff check .
	@exec $(PY) -m mypy
	@exec $(PY) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml

format: $(STAMP)  ## let ruff sort imports and repair what it can
	@exec $(PY) -m ruff check --fix .

# The options let photographs of more than 10 MB in, and results of more than 3 MB out.
lab: $(VENV)/.installed-lab  ## open the notebooks in JupyterLab
	@exec $(PY) -m jupyter lab --ServerApp.tornado_settings='{"websocket_max_message_size": 67108864}' \
		--ZMQChannelsWebsocketConnection.limit_rate=False notebooks/00_start_here.ipynb

studio: $(VENV)/.installed-lab  ## the try-on studio and the attention explorer as a page in your browser
	@exec $(PY) -m mavton_lite studio

doctor: $(STAMP)  ## what this machine has, and the command for what is missing
	@exec $(PY) -m mavton_lite doctor

clean:  ## remove data, checkpoints and executed notebooks of PROFILE
	rm -rf runs/$(PROFILE)

clean-all:  ## remove all of runs/ and the virtual environment
	rm -rf runs $(VENV)
