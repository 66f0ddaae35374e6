# make run           install, migrate and serve on http://127.0.0.1:8000, with a restart after each change
# make test          install and run all tests on SQLite, PostgreSQL and PgBouncer
# make coverage      the same, and report the coverage of branches over all of them
# make lint          check style, types, migrations and the OpenAPI description
# make check         lint and coverage; CI runs this
# make fuzz          send generated requests for some minutes
# make bench         measure what each request costs, for a few minutes
# make chaos         kill servers under load, for ten minutes at most
# make hosts         the same with three hosts behind nginx
# make format        fix style
# make openapi       regenerate docs/openapi.yaml
# make requirements  pin the newest package versions
# make help          list these commands

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all:
# With the test settings, which need no .env file and no database server.
MANAGE := DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py

# On all cores. Each worker runs neighbouring tests, which share a server. The next run uses what this one compiles.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal

SOURCES := accounts,tasks,todo_project
MEASURED := COVERAGE_DIRECTORY=$(CURDIR)/.coverage COVERAGE_SOURCES=$(SOURCES) PYTHONPATH=$(CURDIR)/tests/measured

# Tests of what a pooler could break: locks, transactions, prepared statements, server-side cursors.
DATA_LAYER := $(wildcard tasks/tests/test_*race*.py) \
	$(addprefix tasks/tests/test_,bulk.py dashboard.py sync_follower.py import_user.py migrations.py purge.py \
		query_budgets.py seed.py stats.py sync.py trash.py update_task.py page_walk.py kinds.py kinds_follower.py \
		recount.py new_epoch.py retries.py quota.py) \
	$(addprefix accounts/tests/test_,export.py refresh.py sign_in.py races.py) \
	$(addprefix todo_project/tests/test_,compiled_queries.py conditional.py database.py idempotency.py pagination.py purge.py)

.PHONY: run test coverage lint check fuzz bench chaos hosts format openapi requirements help
# A recipe that fails leaves no half-written file.
.DELETE_ON_ERROR:

run: .venv/runtime .env
	@$(BIN)/python manage.py prepare
	@sed -n 's/^DJANGO_SUPERUSER_EMAIL=/Staff login: /p; s/^DJANGO_SUPERUSER_PASSWORD=/   password: /p' .env
	@exec $(BIN)/python -m todo_project.server.development

# All three runs, though one fails.
test: .venv/dev
	@$(COVERED) $(PYTEST) || failed=1; \
	$(COVERED) $(PYTEST) --postgres || failed=1; \
	$(PYTEST) --pgbouncer $(DATA_LAYER) || failed=1; \
	exit $${failed:-0}

# The first report is of no test, but also of the files that no test imports. The run behind PgBouncer is not measured.
coverage: .venv/dev
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/slipcover --dont-wrap-pytest --branch --source $(SOURCES) --omit '*/tests/*' --json --out .coverage/none.json \
		manage.py --version >/dev/null
	@$(MAKE) --no-print-directory test COVERED="$(MEASURED)"
	$(BIN)/slipcover --branch --skip-covered --fail-under 95 --merge .coverage/*.json --out .coverage/all.json

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

# Both at once, though one fails.
check:
	@$(MAKE) --no-print-directory --keep-going --jobs=2 lint coverage

# CI runs the same tests with few examples.
fuzz: .venv/dev
	TEST_EXAMPLES=$${TEST_EXAMPLES:-200} $(PYTEST) $(wildcard */tests/test_any_*.py) todo_project/tests/test_fuzz.py

# benchmarks/cost.py --help lists options for larger databases.
bench: .venv/dev
	$(BIN)/python benchmarks/cost.py

chaos: .venv/dev
	$(BIN)/python benchmarks/chaos.py

hosts: .venv/dev
	$(BIN)/python benchmarks/chaos.py --hosts

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# After a change of the API; review the difference.
openapi: .venv/dev
	$(MANAGE) spectacular --validate --fail-on-warn --file docs/openapi.yaml

# Pin the newest versions that pyproject.toml allows.
requirements: .venv/dev
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --no-header --no-annotate --python-version 3.11 \
		pyproject.toml --output-file requirements.txt
	for group in sentry tracing dev; do \
		$(BIN)/uv pip compile --quiet --upgrade --universal --no-header --no-annotate --python-version 3.11 \
			--group $$group --constraint requirements.txt --output-file requirements-$$group.txt || exit 1; \
	done

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is required. To choose one: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { echo "Could not create a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

.venv/runtime: .venv/python requirements.txt
	@echo "Installing packages …"
	@$(PIP) -r requirements.txt || { echo "Could not install the packages. Linux and macOS need no compiler: all packages have wheels."; exit 1; }
	@touch $@

.venv/dev: .venv/runtime requirements-dev.txt requirements-sentry.txt requirements-tracing.txt
	@$(PIP) $(addprefix -r ,requirements.txt $(filter requirements-%,$^))
	@touch $@

.env:
	@umask 077; $(PYTHON) -c 'import re, secrets; \
		fill = lambda line: line.strip() + secrets.token_urlsafe(50 if "KEY" in line else 12) + "\n"; \
		print("".join(fill(l) if re.match("(SECRET_KEY|DJANGO_SUPERUSER_PASSWORD)=$$", l) else l for l in open(".env.example")), end="")' > $@
	@echo "Created .env with new secrets."
