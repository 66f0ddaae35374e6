"""Settings in production, and values that are refused."""

import os
import subprocess
import sys
from importlib.util import find_spec, module_from_spec

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from environ import Env

from todo_project.config import checks, env

PRODUCTION = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "l0ng-and-r4ndom-enough-f0r-django-and-for-us-to-be-content-with",
    "ALLOWED_HOSTS": "api.example.com",
    "TRUSTED_PROXY_COUNT": "1",
    "DATABASE_URL": "postgresql://ann:s3cret@ep-a-1-pooler.eu.aws.neon.tech/neondb?sslmode=verify-full",
    "DATABASE_URL_UNPOOLED": "postgresql://ann:s3cret@ep-a-1.eu.aws.neon.tech/neondb?sslmode=verify-full",
}
FAR = "postgresql://todo:hunter2@db.example.com/todo"
INVALID: list[tuple[str, str | None]] = [
    ("SECRET_KEY", None),
    ("SECRET_KEY", ""),
    ("SECRET_KEY", "hunter2"),
    ("DEBUG", "ture"),
    ("ALLOWED_HOSTS", None),
    ("ALLOWED_HOSTS", "*"),
    ("DATABASE_URL", None),
    ("DATABASE_URL", f"{FAR}?sslmode=prefer"),
    ("DATABASE_URL", f"{FAR}?sslmood=require"),
    ("DATABASE_URL", "mysql://todo:hunter2@db.example.com/todo"),
    ("DATABASE_URL", "postgresql://todo:hunter2@[db.example.com/todo"),
    ("DATABASE_URL_UNPOOLED", FAR.replace("db.", "ep-cool-1-pooler.")),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "10.0.0.0/8"),  # without TRUSTED_PROXY_COUNT
    ("PORT", "abc"),
    ("WEB_CONCURRENCY", "0"),
    ("RATE_LIMIT_USER", "lots"),
    ("CACHE_URL", "memcached://hunter2@x"),
    ("LOG_LEVEL", "loud"),
    ("ACCESS_TOKEN_MINUTES", "0"),
    ("REGISTRATION_OPEN", "yes"),
    ("TRUSTED_ISSUERS", '[{"issuer": "x", "audience": "y", "algorithms": ["HS256"], "secret": "hunter2"}]'),
    ("PASSWORD_RESET_URL", "https://app.example.com/reset"),
    ("EMAIL_URL", "imap://ann:hunter2@mail.example.com"),
    ("CORS_ALLOWED_ORIGINS", "https://app.example.com/"),
    ("CORS_ALLOWED_ORIGINS", "*"),
    ("ENV_FILE", "/no/such/file"),
]
PRINT_HSTS = """
import django
django.setup()
from django.test import Client
headers = {"Host": "api.example.com", "X-Forwarded-Proto": "https"}
print(Client().get("/docs", headers=headers).get("Strict-Transport-Security"))
"""
PRINT_HOST = "from django.conf import settings; print(settings.DATABASES['default']['HOST'])"


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], **PRODUCTION, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def load(monkeypatch):
    """Returns the settings of a process with another environment."""

    def load(**environment):
        variables = {**PRODUCTION, **environment}
        monkeypatch.setattr(
            Env, "ENVIRON", {each: text for each, text in variables.items() if text is not None}
        )
        spec = find_spec("todo_project.settings")
        assert spec
        assert spec.loader
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_an_invalid_value_is_one_line_that_names_the_setting(name, value, load):
    with pytest.raises(ImproperlyConfigured) as error:
        load(**{"HTTPS_ONLY": "false", "TRUSTED_PROXY_COUNT": "0", name: value})

    [line] = str(error.value).splitlines()
    assert name in line
    assert "hunter2" not in line


def test_djangos_deployment_checks_pass():
    checked = python("manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "ep-a-1.eu.aws.neon.tech"),
        ({"DATABASE_ENDPOINT": "pooled"}, "ep-a-1-pooler.eu.aws.neon.tech"),
        ({"DATABASE_URL_UNPOOLED": ""}, "ep-a-1-pooler.eu.aws.neon.tech"),
    ],
)
def test_a_command_uses_the_direct_url_if_it_is_set(environment, host):
    process = python("manage.py", "shell", "--no-imports", "-c", PRINT_HOST, **environment)

    assert process.stdout.strip() == host


def test_the_server_uses_the_pooled_url():
    process = python("-c", PRINT_HOST, DJANGO_SETTINGS_MODULE="todo_project.settings")

    assert process.stdout.strip() == "ep-a-1-pooler.eu.aws.neon.tech"


PRINT_DATABASES = "from django.conf import settings; print(*settings.DATABASES)"


def test_the_server_uses_a_replica_and_commands_do_not():
    replica = {"DATABASE_REPLICA_URL": PRODUCTION["DATABASE_URL"].replace("ep-a-1", "ep-b-2")}

    server = python("-c", PRINT_DATABASES, DJANGO_SETTINGS_MODULE="todo_project.settings", **replica)
    command = python("manage.py", "shell", "--no-imports", "-c", PRINT_DATABASES, **replica)

    assert (server.stdout.split(), command.stdout.split()) == (["default", "replica"], ["default"])


@pytest.mark.parametrize("variable", ["DATABASE_URL", "DATABASE_URL_UNPOOLED"])
def test_neither_url_of_the_primary_is_one_of_a_replica(load, variable):
    urls = {
        "DATABASE_URL": "postgresql://ann:s3cret@pooler.example.com/todo?sslmode=verify-full",
        "DATABASE_URL_UNPOOLED": "postgresql://ann:s3cret@db.example.com/todo?sslmode=verify-full",
    }

    with pytest.raises(ImproperlyConfigured, match="^DATABASE_REPLICA_URL leads to the same server"):
        load(**urls, DATABASE_REPLICA_URL=urls[variable])


@pytest.mark.parametrize("pooler", [True, False])
def test_the_setting_for_poolers_includes_the_replica(load, pooler):
    url = "postgresql://ann:s3cret@replica.example.com/todo?sslmode=verify-full"
    loaded = load(DATABASE_REPLICA_URL=url, DATABASE_POOLER=str(pooler).lower())

    assert loaded.DATABASE_REPLICA["DISABLE_SERVER_SIDE_CURSORS"] is pooler


@pytest.fixture
def https_only(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 31_536_000


def test_http_is_redirected_to_https(client, https_only):
    response = client.get("/docs")

    assert response.status_code == 301
    assert response["Location"] == "https://testserver/docs"


def test_a_request_that_the_proxy_received_by_https_is_served(client, https_only):
    response = client.get("/docs", headers={"X-Forwarded-Proto": "https"})

    assert response.status_code == 200
    assert response["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, "max-age=31536000; includeSubDomains; preload"),
        ({"HSTS_SECONDS": "60"}, "max-age=60; includeSubDomains; preload"),
        ({"HSTS_SECONDS": "0"}, "None"),
    ],
)
def test_hsts_lasts_a_year_unless_the_setting_changes_it(environment, header):
    process = python("-c", PRINT_HSTS, DJANGO_SETTINGS_MODULE="todo_project.settings", **environment)

    assert process.stdout.splitlines()[-1] == header, process.stderr


@pytest.mark.parametrize("path", ["/docs", "/api/v1/schema", "/api/v1/nothing"])
def test_every_response_has_security_headers(client, db, path):
    response = client.get(path)

    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"


def test_an_unused_variable_in_the_env_file_is_a_warning(monkeypatch):
    monkeypatch.setattr(env, "NAMES_IN_FILE", {"ALLOWED_HOST", "DEBUG", "DJANGO_SUPERUSER_EMAIL"})

    [warning] = checks.check_for_unused_variables(None)

    assert "ALLOWED_HOST" in warning.msg
    assert warning.hint == "Did you mean ALLOWED_HOSTS?"
