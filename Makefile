# Two commands on a machine that has python3 (3.11 or newer) and make:
#   make train   sets up .venv and trains on the embedded data set        (BACKEND=jax|torch|tensorflow, ARGS="...")
#   make test    sets up .venv and runs the suite on each backend (BACKEND=... the whole of it on one)

PYTHON ?= python3
BACKENDS := tensorflow jax torch
ARGS ?=

ifdef BACKEND
ifeq ($(filter $(BACKEND),$(BACKENDS)),)
$(error BACKEND must be one of: $(BACKENDS). Received: BACKEND=$(BACKEND))
endif
endif

define NO_PYTHON
echo "This needs Python 3.11 or newer, and $(PYTHON) was not found. Name one: make $@ PYTHON=/path/to/python3.11" >&2
endef
define OLD_PYTHON
echo "This needs Python 3.11 or newer, and $(PYTHON) is older. Name another: make $@ PYTHON=/path/to/python3.11" >&2
endef
define install
@command -v "$(PYTHON)" >/dev/null 2>&1 || { $(NO_PYTHON); exit 1; }
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { $(OLD_PYTHON); exit 1; }
@"$(PYTHON)" tools/install.py
endef

.PHONY: help train test check clean

help:
	@echo 'make train   train on the embedded data set: BACKEND=jax|torch|tensorflow, ARGS="--epochs 5" (see: ARGS=--help)'
	@echo 'make test    the suite on each backend; BACKEND=jax|torch|tensorflow, all of it on one, ARGS="-k mixup" for pytest'
	@echo 'make check   format, lint, types, architecture, the suite, generated parts; ARGS=--fast leaves the suite out'
	@echo 'make clean   remove the environment, caches and build folders (runs/ stays)'

train:
	$(install) $(or $(BACKEND),tensorflow) cli
	@.venv/bin/keras-tricks train --backend $(or $(BACKEND),tensorflow) $(ARGS)

# The suite of one backend meets the others too: tf.data and torch's DataLoader feed every backend.
test:
	$(install) $(BACKENDS) keras-cv dev
	@.venv/bin/python tools/test.py $(BACKEND) $(if $(ARGS),--pytest $(ARGS))

check:
	$(install) $(BACKENDS) keras-cv dev
	@.venv/bin/python tools/check $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find keras_tricks tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
