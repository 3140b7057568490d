# `make` alone lists what there is to make. GNU make 3.81 and later, any POSIX shell.

VENV ?= .venv
PYTHON ?=
BIN = $(VENV)/bin

# One torch thread a process; `make test` starts one process a core, eight at most.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.NOTPARALLEL:
.PHONY: help demo test check lowest install clean

help:  ## List these targets
	@echo "make TARGET, where TARGET is"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' Makefile
	@echo "Each makes $(VENV) when there is none; PYTHON=… chooses the Python to make it with."

demo: $(VENV)/.gan  ## Train on handwritten digits and draw a grid of new ones (2 minutes)
	@$(BIN)/gan train experiment=demo run_dir=outputs/demo
	@$(BIN)/gan sample --ckpt outputs/demo --out outputs/demo.png
	@echo
	@echo "Look at outputs/demo.png: digits that nobody wrote."
	@echo "  outputs/demo/samples   the same noise, drawn again and again while G learned"
	@echo "  outputs/demo           the run: its config, numbers, checkpoints and generator"
	@echo "  $(BIN)/tensorboard --logdir outputs   its curves, in a browser"
	@echo "  $(BIN)/gan --help                     what to do next"

test: $(VENV)/.dev  ## Run every test (minutes)
	$(PYTEST) -n auto --maxprocesses 8

check: $(VENV)/.dev  ## Run the linter, the type checker and the laws (under a minute)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) tests/laws -m "not training" -n auto --maxprocesses 8

lowest: VENV = .venv-lowest
lowest:  ## Run the laws and every verb with the oldest versions of all it depends on
	@$(MAKE) --no-print-directory VENV=$(VENV) OLDEST=yes $(VENV)/.dev
	$(PYTEST) tests/laws -m "not training" -n auto --maxprocesses 8
	$(PYTEST) tests/test_compatibility.py

install: $(VENV)/.gan  ## Install `gan` in .venv
	@echo "Installed. Next: . $(BIN)/activate && gan --help"

clean:  ## Remove the environment, caches and builds; outputs/ stays
	rm -rf $(VENV) .venv-lowest build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The two stamps: what `gan` needs, and what developing it needs besides. Made again only when
# pyproject.toml is newer.
$(VENV)/.gan: pyproject.toml
	@$(environment)
	@$(call install,.)
	@touch $@

$(VENV)/.dev: pyproject.toml
	@$(environment)
	@$(call install,.[dev])
	@touch $(VENV)/.gan $@

# A working environment: the one that is there, or a new one from the first Python that will do.
CANDIDATES = $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python)
WILL_DO = import ensurepip, sys, venv; sys.exit(not (3, 11, 4) <= sys.version_info < (3, 14))
define environment
$(BIN)/python -m pip --version >/dev/null 2>&1 && exit 0; \
for python in $(CANDIDATES); do \
  if "$$python" -c '$(WILL_DO)' >/dev/null 2>&1; then \
    echo "Making $(VENV) with $$("$$python" --version)"; \
    exec "$$python" -m venv $(VENV); \
  fi; \
done; \
echo "gan needs Python 3.11.4 or later, up to 3.13, with its venv module (on Debian and Ubuntu" >&2; \
echo "the package python3-venv). None of these is one: $(CANDIDATES)." >&2; \
echo "Install one, or say where it is: make PYTHON=/path/to/python" >&2; \
exit 1
endef

# pip, with a sign of life: it is silent for as long as PyTorch takes to unpack.
define install
echo "Installing what pyproject.toml asks for into $(VENV): minutes and gigabytes, the first time"; \
while sleep 15 >/dev/null 2>&1; do \
  echo "  ... still at it: $$(du -sh $(VENV) | cut -f 1) in $(VENV)"; \
done & alive=$$!; \
trap 'kill $$alive' EXIT; \
trap 'exit 130' INT TERM; \
$(if $(OLDEST),$(BIN)/python -m tests.bounds >$(VENV)/oldest.txt || exit;) \
$(BIN)/python -m pip install $(if $(OLDEST),--constraint $(VENV)/oldest.txt) --editable "$(1)"
endef
