# Every recipe line is a command that you could type; make only knows the order and what is already done.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint torture bench install

demo: .venv/.installed
	$(BIN)/pipeline run configs/demo.yaml
	$(BIN)/pretrain fit configs/bloom-tiny.yaml
	$(BIN)/pretrain export runs/demo/bloom-tiny --out runs/demo/export
	$(BIN)/pretrain generate runs/demo/export "Kila mtu ana haki ya"
	@echo "report: runs/demo/report.html  shards: runs/demo/packed  checkpoint: runs/demo/bloom-tiny  for transformers: runs/demo/export"

test: lint
	$(BIN)/pytest -q

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

torture: .venv/.installed
	$(BIN)/pytest -q -m torture

bench: .venv/.installed
	$(BIN)/python benchmarks/corpora.py runs/corpora --only docs
	$(BIN)/python benchmarks/dedup.py runs/corpora/docs.jsonl

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "seedbed needs Python 3.11 or newer, '$(PYTHON)' is not: name one, as in  make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	touch .venv/.installed
