# What each target does is said by `make help`. Root is needed for containers: where you are not root, sudo is called.
SHELL := /bin/bash
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -E)
PYTHON := .venv/bin/python
TESTS ?=
PAIRS ?= 20
ONLY ?= run,api,exec,clients,hundred,logs,crash,idle
CYCLES ?= 1000
export TESTS PAIRS ONLY CYCLES

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test test-slow test-vm test-runc test-thirdparty lint format bench bench-images soak crash check install uninstall lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

setup: ## install the Debian packages and the virtual environment that running needs
	@$(SUDO) scripts/packages.sh run
	@scripts/venv.sh run

setup-test: ## the same, and what the tests need
	@$(SUDO) scripts/packages.sh run test
	@scripts/venv.sh test

run: setup ## start pierd if none answers, make a base image and run a Debian container
	@$(SUDO) scripts/run.sh

test: setup-test ## run the tests (TESTS="tests/store -k lock" to choose)
	@$(SUDO) scripts/test.sh $(TESTS)

test-slow: setup-test ## run the tests that take long: every point of death, many kills, many examples
	@$(SUDO) scripts/test.sh -m slow $(TESTS)

test-vm: setup-test ## run the runtime suites in a virtual machine with systemd and cgroup v2
	@$(SUDO) scripts/packages.sh vm
	@$(SUDO) $(PYTHON) -m tests.vm.machine $(TESTS)

test-runc: setup-test ## run the end-to-end tests on a daemon whose default runtime is runc
	@$(SUDO) env PIER_TEST_RUNTIME=runc scripts/test.sh $(or $(TESTS),tests/e2e)

test-thirdparty: setup-test ## run aiodocker's own tests on dockerd and on pierd and compare
	@$(SUDO) $(PYTHON) -m tests.thirdparty

lint: setup-test ## ruff, mypy and shellcheck
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet . || echo "note: 'make format' would change some files"
	@.venv/bin/mypy
	@shellcheck scripts/*.sh packaging/*.sh .ci/run

format: setup-test ## let ruff sort imports and lay out the code
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

check: lint test ## lint and test

bench: setup-test ## measure Pier and dockerd in turn (ONLY=run,api PAIRS=20)
	@$(SUDO) $(PYTHON) -m bench --only $(ONLY) --pairs $(PAIRS)

bench-images: setup-test ## measure what is done with images (PAIRS=20)
	@$(SUDO) $(PYTHON) -m bench --only pull,push,load,save,import,images-list --pairs $(PAIRS)

soak: setup-test ## run and remove many containers and look for what stays (CYCLES=1000)
	@$(SUDO) $(PYTHON) -m bench --only soak --pairs $(CYCLES)

crash: setup-test ## kill -9 the daemon under load and check that nothing is lost
	@$(SUDO) $(PYTHON) -m bench --only crash --pairs 3

install: setup ## install into /opt/pier with systemd units
	@$(SUDO) packaging/install.sh

uninstall: ## remove what `make install` made; data stays
	@$(SUDO) packaging/uninstall.sh

lock: setup-test ## write the lock files anew from pyproject.toml
	@scripts/lock.sh

clean: ## remove caches and the virtual environment
	@$(SUDO) rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist src/*.egg-info bench/results
	@find . -name __pycache__ -type d -prune -exec $(SUDO) rm -rf {} +
