"""Probes answer for themselves: to any Host, without HTTPS, and the one for liveness without a database."""

import pytest
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder

from tests.support.assertions import assert_error


def test_liveness_asks_no_database(client):
    # Without pytest-django's `db` a query would be an error.
    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_readiness_tells_of_the_database_and_its_migrations(client, db):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "migrations": "ok"}


def test_a_migration_that_is_missing_is_not_ready(client, db):
    MigrationRecorder.Migration.objects.filter(app="accounts", name="0001_initial").delete()

    error = assert_error(client.get("/readyz"), 503, "SERVICE_UNAVAILABLE")
    assert "manage.py migrate" in error["message"]


def test_a_migration_that_only_the_database_knows_is_ready(client, db):
    MigrationRecorder.Migration.objects.create(app="accounts", name="9999_of_the_next_release")

    assert client.get("/readyz").status_code == 200


def test_a_database_that_does_not_answer_is_not_ready(client, db, monkeypatch):
    def fail(self):
        raise OperationalError("connection refused by 10.1.2.3")

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", fail)
    response = client.get("/readyz")

    assert_error(response, 503, "SERVICE_UNAVAILABLE")
    assert response["Retry-After"] == "5"
    assert b"10.1.2.3" not in response.content


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_may_come_by_address_and_without_https(client, db, settings, path):
    settings.SECURE_SSL_REDIRECT = True

    assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_is_only_read(client, path):
    response = client.post(path)

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD"
