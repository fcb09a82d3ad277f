# make report, make test: everything is set up on the way. STUDY=path/to/folder reports on one study folder.
PYTHON ?= python3
STUDY ?= data/nga-bay data/organ-donations
BIN = .venv/bin
READY = .venv/ready

.PHONY: report test test-slow test-browser lab setup check notebooks reference lock

report: $(READY)
	$(BIN)/evalkit run $(STUDY)

test: $(READY)
	$(BIN)/python -X warn_default_encoding -m pytest -q

test-slow: $(READY)
	$(BIN)/python -X warn_default_encoding -m pytest -q -m slow
	$(BIN)/python -X warn_default_encoding -m pytest -q -o addopts="--nbval -n auto --dist loadfile" notebooks/*.ipynb \
		notebooks/course/teacher

# The only target that needs Chromium and playwright: it installs both where they are not there.
test-browser: $(READY)
	command -v chromium chromium-browser google-chrome > /dev/null || sudo apt-get install --yes chromium
	$(BIN)/python -m pip install --quiet --disable-pip-version-check playwright
	$(BIN)/python -m pytest -q -n 0 -m slow tests/test_browser.py tests/test_course_browser.py

lab: $(READY)
	$(BIN)/evalkit lab

setup: $(READY)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The committed notebooks carry their outputs for the demonstration pilot.
notebooks: $(READY)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --log-level=WARN \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.extra_arguments=--log-level=ERROR notebooks/*.ipynb

# R with its packages survey, ordinal, coin, clubSandwich and sandwich is needed only here: tests read what this writes.
reference:
	for script in tests/reference/*.R; do Rscript $$script || exit 1; done

# uv is needed only here.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--group test --group dev pyproject.toml -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)
