# Everything from nothing but Python 3.11+, make and a package index. `make demo` and `make test` are the two to know.
# What the image ships, where it is there and can make an environment: an inquiry costs a twelfth less than on 3.11.
SHIPPED := /usr/bin/python3.13
MAKING = $(or $(PYTHON),$(shell $(SHIPPED) -c 'import ensurepip' 2>/dev/null && echo $(SHIPPED) || echo python3))
VENV := .venv
RUN := $(VENV)/bin/python
# Where it is forbidden to keep bytecode, as in many images, each of hundreds of processes would compile all anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: gone release docs image help setup demo test properties trials check style types imports catalogue rules spelling format assets bench shots clean
help:
	@echo "make demo [ONCE=1]   the invented region on this machine: departments, authorization server, gateway, twelve scenes"
	@echo "make test            everything that is checked: style, types, imports, tests (installs what they need)"
	@echo "make properties      what is tested by drawn examples, with more and other ones at each run"
	@echo "make trials [ONLY=..] what takes long: kills, races, soak, all cases of tests; about an hour, not run by CI"
	@echo "make bench [ONLY=..] measures an inquiry, and three other gateways beside it; writes var/bench.json"
	@echo "make shots           every page as a picture, wide and narrow, light and dark, in var/shots/"
	@echo "make check           style, types, imports, policies and spelling only: seconds"
	@echo "make format          puts style right, as far as a tool can"
	@echo "make docs            the documentation as a site, by reader, in var/site/"
	@echo "make image           the gateway as an OCI image (needs buildah and mmdebstrap; the first time minutes)"
	@echo "make release VERSION=x.y.z [DRY=1]   tags the commit, with a wheel and the vectors in dist/; pushes nothing"
	@echo "make assets          bundles the pages' scripts and styles anew (needs Node); what comes out is committed"

$(VENV)/.ready: pyproject.toml uv.lock $(if $(shell test -x $(RUN) && echo there),,gone)
	@echo "==> setting up $(VENV) (a minute the first time)"
	@$(RUN) -m uv --version >/dev/null 2>&1 || $(RUN) -m pip --version >/dev/null 2>&1 || $(MAKING) -m venv --clear $(VENV)
	@$(RUN) -m uv --version >/dev/null 2>&1 || $(RUN) -m pip install --quiet --disable-pip-version-check uv
	@$(RUN) -m uv sync --frozen --quiet --python $(RUN)
	@touch $@

# What .venv was made with was there, and is not any more.
gone:

setup: $(VENV)/.ready

demo: setup
	@echo "==> starting the demo"
	@$(VENV)/bin/dutybound demo $(if $(filter-out 0,$(ONCE)),--once)

# Side by side; each one's lines stay together where make can do that.
check: setup
	@$(MAKE) --no-print-directory --keep-going -j6 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) style types imports catalogue rules spelling

style:
	@echo "==> style"
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/ruff check --quiet .

types:
	@echo "==> types"
	@$(VENV)/bin/mypy

imports:
	@echo "==> imports"
	@$(VENV)/bin/lint-imports --no-logo

catalogue:
	@echo "==> catalogue"
	@$(VENV)/bin/dutybound catalogue check

rules:
	@echo "==> rules"
	@$(VENV)/bin/dutybound rules check
	@$(VENV)/bin/dutybound rules test --threshold 100

spelling:
	@echo "==> spelling"
	@$(RUN) -m tests.docs.spelling.check

format: setup
	@$(VENV)/bin/ruff check --fix --quiet .
	@$(VENV)/bin/ruff format --quiet .

PAGES := gateway/web/static
assets:
	@echo "==> bundling the pages' scripts and styles"
	@cd $(PAGES) && npm ci --silent --no-audit --no-fund && node build.mjs

test: check
	@echo "==> what the tests need"
	@.ci/services
	@echo "==> tests"
	@$(RUN) -m pytest -n auto --dist worksteal -m "not long"

# Other examples at each run: what is found here becomes a test of its own.
properties: test-needs
	@DUTYBOUND_RANDOM=1 $(RUN) -m pytest -n auto -m hypothesis

# Each prints what it found as one line of JSON; the summary says which did not hold.
trials: test-needs
	@$(RUN) -m tests.faults.trials $(if $(ONLY),--only $(ONLY))

test-needs: setup
	@.ci/services

bench: setup
	@.ci/services
	@ONLY="$(ONLY)" $(RUN) -m tests.bench

# With a region of its own, beside any demo that runs.
shots: test-needs
	@$(RUN) -m tests.console.shots

# Needs no service; what builds it is not in a plain install.
docs: setup
	@$(RUN) -m uv sync --frozen --inexact --quiet --group docs
	@$(RUN) -m deploy.docs.build

release: setup
	@$(RUN) -m deploy.release $(VERSION) $(if $(DRY),--dry-run)

image: setup
	@deploy/image/build

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
