"""Settings in production."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from todo_project.config import checks, env

PRODUCTION = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "l0ng-and-r4ndom-enough-f0r-django-and-for-us-to-be-content-with",
    "ALLOWED_HOSTS": "api.example.com",
    "TRUSTED_PROXY_COUNT": "1",
    "DATABASE_URL": "postgresql://ann:s3cret@ep-a-1-pooler.eu.aws.neon.tech/neondb?sslmode=verify-full",
    "DATABASE_URL_UNPOOLED": "postgresql://ann:s3cret@ep-a-1.eu.aws.neon.tech/neondb?sslmode=verify-full",
}
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
