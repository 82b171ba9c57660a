# Thin names for ./dev, which does the work (and makes .venv when it is missing).
# More arguments: make test ARGS="-k lineage -x"

PYTHON ?= python3
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check ci format coverage faults fuzz bench

help:
	@$(PYTHON) dev --help

demo test check ci format coverage faults fuzz bench:
	@$(PYTHON) dev $@ $(ARGS)
