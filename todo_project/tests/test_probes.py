"""Probes accept any Host and need no HTTPS; the liveness probe needs no database."""

import pytest
from django.db import OperationalError
from django.db.migrations.recorder import MigrationRecorder

from tests.support.assertions import assert_error


def test_the_liveness_probe_makes_no_query(client):
    # Without the fixture `db` of pytest-django a query would be an error.
    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_the_readiness_probe_reports_the_database_and_its_migrations(client, db):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "migrations": "ok"}


def test_the_server_is_not_ready_while_a_migration_is_missing(client, db):
    MigrationRecorder.Migration.objects.filter(app="accounts", name="0001_initial").delete()

    error = assert_error(client.get("/readyz"), 503, "SERVICE_UNAVAILABLE")
    assert "manage.py migrate" in error["message"]


def test_the_server_is_ready_if_the_database_has_a_migration_of_a_later_release(client, db):
    MigrationRecorder.Migration.objects.create(app="accounts", name="9999_of_the_next_release")

    assert client.get("/readyz").status_code == 200


def test_the_server_is_not_ready_while_the_database_is_unreachable(client, db, monkeypatch):
    def fail(self):
        raise OperationalError("connection refused by 10.1.2.3")

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", fail)
    response = client.get("/readyz")

    assert_error(response, 503, "SERVICE_UNAVAILABLE")
    assert response["Retry-After"] == "5"
    assert b"10.1.2.3" not in response.content


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_accepts_any_host_and_needs_no_https(client, db, settings, path):
    settings.SECURE_SSL_REDIRECT = True

    assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_post_to_a_probe_is_405(client, path):
    response = client.post(path)

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD"
