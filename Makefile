# make demo   install, train on synthetic scenes, score, predict, show where the pictures are
# make test   install, run the test suite
# make slow   install, run the tests that compile, train in several processes or kill them
# make docs   install, build the documentation into site/ (a warning is an error), run its code
# make mobile install ExecuTorch as well, run what needs it
# make serving install, serve from the Docker image and behind nginx; needs both
# make lint   install, run ruff, mypy and codespell

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
# Long tests come where they fall: a process that has none left takes from the other.
PARALLEL := -n 2 --dist worksteal

# Where it is set, every process that a test starts would compile torch anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test slow docs mobile serving lint format clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".[dev]"
	touch $@

# A run that was interrupted goes on; one that is done is only scored and shown again.
demo: $(VENV)/installed
	$(BIN)/segnext data synthetic $(DEMO)/scenes --val 24 --test 20
	test -f $(DEMO)/run/checkpoint.safetensors \
	  && $(BIN)/segnext train --resume $(DEMO)/run \
	  || $(BIN)/segnext train $(DEMO)/scenes --out $(DEMO)/run --init none --max-steps 380 \
	       --set validate_every=95 --set photometric=false --set class_weights=none
	$(BIN)/segnext evaluate $(DEMO)/run/best.safetensors $(DEMO)/scenes --split test
	$(BIN)/segnext predict $(DEMO)/run/best.safetensors $(DEMO)/scenes/test/images --out $(DEMO)/predictions
	@echo
	@echo "photo, truth, prediction: $(DEMO)/run/contact_sheet.png"
	@echo "curves:                   $(DEMO)/run/curves.png"
	@echo "overlays of new pictures: $(DEMO)/predictions/overlays"

test: $(VENV)/installed
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not docs and not serving"

slow: $(VENV)/installed
	$(BIN)/python -m pytest $(PARALLEL) -m slow

docs: $(VENV)/installed
	$(BIN)/mkdocs build --quiet --strict
	SITE=site $(BIN)/python -m pytest $(PARALLEL) -m docs
	@echo "open site/index.html"

# Apart from the others: transformers then imports torchao with every model, whose sources warn
# when they are compiled, which pip does here.
mobile: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[mobile]"
	$(BIN)/python -m pytest -n 2 tests/deploy/test_formats.py tests/test_documentation.py \
	  -k executorch

serving: $(VENV)/installed
	$(BIN)/python -m pytest tests/test_serving_page.py

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO) site build dist .mypy_cache .ruff_cache .pytest_cache
