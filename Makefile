# make run    set everything up and serve on http://127.0.0.1:8000
# make test   set everything up and run every test, on SQLite, PostgreSQL and PgBouncer
# make lint   style, types, migrations and the API's description
# make check  what CI runs: lint and test

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all:
# The settings of the tests: they need no .env and no database server.
CHECKED := DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py

# What a pooler could break: locks, transactions, prepared statements, cursors of the server's.
DATA_LAYER := $(wildcard tasks/tests/test_*race*.py) \
	$(addprefix tasks/tests/test_,bulk.py dashboard.py following.py import_user.py migrations.py purge.py \
		query_budgets.py seed.py stats.py sync.py trash.py update_task.py walk.py) \
	$(addprefix accounts/tests/test_,export.py refresh.py sign_in.py) \
	$(addprefix todo_project/tests/test_,conditional.py database.py idempotency.py pagination.py prepared.py purge.py)

.PHONY: run test lint check format openapi requirements

run: .venv/runtime .env
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py make_roles --verbosity 0
	@# At the first start, and on SQLite only. Before there is staff, because where somebody is it adds nobody.
	@$(BIN)/python manage.py seed --first-start --no-staff
	@# From the second start on there is such a person, and this says so by failing.
	@$(BIN)/python manage.py createsuperuser --noinput >/dev/null 2>&1 || true
	@sed -n 's/^DJANGO_SUPERUSER_EMAIL=/Staff login: /p; s/^DJANGO_SUPERUSER_PASSWORD=/   password: /p' .env
	@exec $(BIN)/python -m gunicorn todo_project.wsgi --config python:todo_project.server.gunicorn_conf

test: .venv/dev
	$(BIN)/python -m pytest
	$(BIN)/python -m pytest --postgres
	$(BIN)/python -m pytest --pgbouncer $(DATA_LAYER)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(CHECKED) makemigrations --check --dry-run
	$(CHECKED) spectacular --validate --fail-on-warn --file /dev/null

check: lint test

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# After a wanted change of the API: write its description anew, to be read in review.
openapi: .venv/dev
	$(CHECKED) spectacular --validate --fail-on-warn --file docs/openapi.yaml

# Newest versions that fit pyproject.toml, pinned.
requirements: .venv/dev
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --no-header --no-annotate --python-version 3.11 \
		pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --no-header --no-annotate --python-version 3.11 \
		--group dev --constraint requirements.txt --output-file requirements-dev.txt

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { echo "No virtual environment could be made. On Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

.venv/runtime: .venv/python requirements.txt
	@echo "Installing the packages …"
	@$(PIP) -r requirements.txt || { echo "The packages could not be installed. Each comes ready made (no compiler is needed) for Linux and macOS."; exit 1; }
	@touch $@

.venv/dev: .venv/runtime requirements-dev.txt
	@$(PIP) -r requirements.txt -r requirements-dev.txt
	@touch $@

.env:
	@umask 077; $(PYTHON) -c 'import re, secrets; \
		fill = lambda line: line.strip() + secrets.token_urlsafe(50 if "KEY" in line else 12) + "\n"; \
		print("".join(fill(l) if re.match("(SECRET_KEY|DJANGO_SUPERUSER_PASSWORD)=$$", l) else l for l in open(".env.example")), end="")' > $@
	@echo "Wrote .env with fresh secrets."
