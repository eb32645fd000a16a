# Only make and Python 3.11 or newer are needed; `make` alone lists the commands.
.DEFAULT_GOAL := help
.PHONY: help run test faults mutants check texts audit licences sbom fix bench up dependencies rabbitmq standards prometheus secrets postgresql
VENV := .venv
# Hundreds of processes that tests start import the same modules: each is compiled once, whatever the machine says.
export PYTHONDONTWRITEBYTECODE :=
STANDARDS := build/standards
# Tests side by side, each worker with servers of its own: four on two processors too, for half of the time a
# test waits (about 0.7 GB of memory each). One by one on a broker that was given.
WORKERS := $(if $(TEST_BROKER_URL),0,4)
PY := $(VENV)/bin/python
PYTHONS := $(PYTHON) python3.11 python3.12 python3.13 python3 python
FITS := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST)

run: dependencies ## the whole product in one process, with a simulated Cronofy and the guide's walk
	@$(PY) -m service up --demo

test: dependencies rabbitmq chromium standards prometheus postgresql ## all tests, on a real RabbitMQ, PostgreSQL and browser (ARGS= for pytest)
	@$(PY) -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

faults: dependencies rabbitmq ## every fault in full size; make test runs the same tests shortened
	@FAULTS=full $(PY) -m pytest tests/faults -o timeout=3600 $(ARGS)

mutants: dependencies ## every small change to handlers/ that no test notices (ARGS="handlers.plan.*" for some)
	@$(PY) -m tests.mutation $(ARGS)

check: dependencies ## format, lint, types, import contracts, dependencies, sizes
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m deptry .
	$(PY) -m tests.house.limits

audit: dependencies ## known weaknesses of the pinned dependencies; fails where they cannot be asked for
	@$(PY) -m tests.house.audit

licences: dependencies ## name, version and licence of all that the service needs to run
	@$(PY) -m tests.house.dependencies licences

sbom: dependencies ## a bill of materials (CycloneDX) in build/sbom.json
	@mkdir -p build && $(PY) -m tests.house.dependencies sbom > build/sbom.json.new && mv build/sbom.json.new build/sbom.json
	@echo "Written: build/sbom.json"

fix: dependencies ## formats, and mends what the linter can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

texts: dependencies ## what is marked for translation, brought into service/web/locale
	@$(PY) -m tests.house.texts

bench: dependencies rabbitmq ## every number to reach, ours beside baselines, for an hour (ARGS="--only throughput latency")
	@$(PY) -m tests.benchmarks $(ARGS)

screenshots: dependencies chromium ## a picture of every page, and those of the README's tour
	@$(PY) -m tests.screenshots $(ARGS)

up: .env secrets ## every process in a container of its own (needs Docker)
	@missing=; [ -n "$$CALENDAR_SYNC_CRONOFY_CLIENT_ID" ] \
		|| grep -Eq "^CALENDAR_SYNC_CRONOFY_CLIENT_ID=[[:space:]'\"]*[^[:space:]'\"]" .env \
		|| missing=" CALENDAR_SYNC_CRONOFY_CLIENT_ID in .env"; \
	[ -s secrets/cronofy-client-secret ] || missing="$$missing, the client secret in secrets/cronofy-client-secret"; \
	[ -z "$$missing" ] || { echo "Nothing was started. What Cronofy shows for your application is missing:$${missing#,}." \
		"Without one, make run shows everything with a simulated Cronofy." >&2; exit 1; }
	docker compose up --build

dependencies: $(VENV)/bin/python
	@cmp -s requirements.lock $(VENV)/installed.lock || { $(INSTALL); }
	@cmp -s pyproject.toml $(VENV)/installed.toml || { \
		PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . && \
		cp pyproject.toml $(VENV)/installed.toml; }

$(VENV)/bin/python:
	@for candidate in $(PYTHONS); do \
		if "$$candidate" -c '$(FITS)' 2>/dev/null; then \
			echo "Creating $(VENV) with $$("$$candidate" --version)"; \
			rm -rf $(VENV); exec "$$candidate" -m venv $(VENV); \
		fi; \
	done; \
	echo "No Python 3.11 or newer with the modules venv and ensurepip was found. Install one (on Debian and" >&2; \
	echo "Ubuntu: apt-get install python3 python3-venv), or name yours: make $(MAKECMDGOALS) PYTHON=..." >&2; \
	exit 1

# One line that grows; where nobody watches, a line for every tenth package.
define INSTALL
	total=$$(grep -c == requirements.lock); \
	{ $(PY) -u -m pip install --disable-pip-version-check --no-input --progress-bar off --require-hashes \
		-r requirements.lock 2>&1; echo "exit $$?"; } | { \
	done=0; said=; \
	while IFS= read -r line; do \
		case "$$line" in \
		"Collecting "*|"Processing "*|"Requirement already satisfied"*) done=$$((done + 1)); \
			if [ -t 1 ]; then printf '\rFetching dependencies: %d of %d ' $$done $$total; \
			elif [ $$((done % 10)) -eq 0 ]; then echo "Fetching dependencies: $$done of $$total"; fi;; \
		"Installing collected"*) [ ! -t 1 ] || echo; echo "Installing them (a minute or so)";; \
		"exit 0") cp requirements.lock $(VENV)/installed.lock; echo "Dependencies are ready"; exit 0;; \
		"exit "*) printf '\nDependencies could not be installed:\n%s' "$$said" >&2; exit 1;; \
		*ERROR*|*WARNING*|" "*) said="$$said$$line$$(printf '\n.')"; said="$${said%.}";; \
		esac; \
	done; }
endef

# Docker and TEST_BROKER_URL serve as well; what is missing in the end, the tests say loudly.
rabbitmq:
	@if [ -n "$$TEST_BROKER_URL" ] || command -v rabbitmq-server >/dev/null || docker info >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing rabbitmq-server for the tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
			apt-get install -qq -y --no-install-recommends rabbitmq-server >/dev/null \
			|| echo "rabbitmq-server could not be installed"; \
	fi

# Its promtool reads the alerts; what is missing in the end, their tests say loudly.
prometheus:
	@if command -v promtool >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing prometheus for the tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
			apt-get install -qq -y --no-install-recommends prometheus >/dev/null \
			|| echo "prometheus could not be installed"; \
	fi

# The one from PyPI, which all other tests use, is made without TLS.
postgresql:
	@if command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing postgresql for the tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
			apt-get install -qq -y --no-install-recommends postgresql >/dev/null \
			|| echo "postgresql could not be installed"; \
	fi

# Google's build serves as well; without any, the tests of the pages in a browser say so loudly.
chromium:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium for the tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core >/dev/null \
			|| echo "chromium could not be installed"; \
	fi

# The official readers of our documents, pinned with their hashes; kept until the pins change.
standards:
	@if ! command -v npm >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing nodejs and npm for the tests"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -qq -y --no-install-recommends nodejs npm >/dev/null \
			|| echo "nodejs and npm could not be installed"; \
	fi
	@if command -v npm >/dev/null && ! cmp -s tests/standards/package-lock.json $(STANDARDS)/installed.lock; then \
		echo "Fetching the readers of AsyncAPI and OpenAPI"; \
		mkdir -p $(STANDARDS) && cp tests/standards/package.json tests/standards/package-lock.json $(STANDARDS) \
			&& npm ci --prefix $(STANDARDS) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null \
			&& cp tests/standards/package-lock.json $(STANDARDS)/installed.lock \
			|| echo "The readers of AsyncAPI and OpenAPI could not be installed"; \
	fi

# Only what every system has: nothing is installed before there are secrets.
.env:
	@echo "CALENDAR_SYNC_CRONOFY_CLIENT_ID=" > $@

secrets: ## passwords and keys as files in secrets/, for make up; what is there stays
	@sh deploy/secrets.sh
