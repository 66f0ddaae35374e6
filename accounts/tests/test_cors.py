"""CORS: only origins in CORS_ALLOWED_ORIGINS can read responses."""

import pytest

from tests.support.client import Client

pytestmark = pytest.mark.any_database

APP = "https://app.example.com"


def preflight(origin):
    return Client().options(
        "/api/v1/me",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type,if-match,idempotency-key",
        },
    )


@pytest.fixture
def allowed_origin(settings, db):
    settings.CORS_ALLOWED_ORIGINS = [APP]


def test_no_origin_is_allowed_by_default(db):
    assert "Access-Control-Allow-Origin" not in preflight(APP)


def test_an_allowed_origin_can_send_the_headers_of_the_api_but_no_cookies(allowed_origin):
    response = preflight(APP)

    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == APP
    assert "PATCH" in response["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in response
    for header in ("authorization", "content-type", "if-match", "if-none-match", "x-request-id"):
        assert header in response["Access-Control-Allow-Headers"]
    assert "idempotency-key" in response["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "https://app.example.com.evil.org", "null", APP + ":8443"]
)
def test_other_origins_are_not_allowed(allowed_origin, origin):
    assert "Access-Control-Allow-Origin" not in preflight(origin)


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/nothing"])
def test_an_allowed_origin_can_read_errors_too(allowed_origin, path):
    response = Client().get(path, headers={"Origin": APP})

    assert response.status_code in {401, 404}
    assert response["Access-Control-Allow-Origin"] == APP
    for header in ("ETag", "X-Request-ID", "Retry-After", "RateLimit-Remaining"):
        assert header in response["Access-Control-Expose-Headers"]


def test_the_admin_allows_no_origin(allowed_origin):
    assert "Access-Control-Allow-Origin" not in Client().get("/admin/login/", headers={"Origin": APP})


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:8080"])
def test_front_ends_on_the_same_machine_are_allowed_with_debug_only(settings, db, origin):
    assert "Access-Control-Allow-Origin" not in preflight(origin)
    settings.CORS_ALLOWED_ORIGIN_REGEXES = [settings.LOCAL_ORIGIN]

    assert preflight(origin)["Access-Control-Allow-Origin"] == origin
    for other in (f"{origin}.evil.org", "http://localhost.evil.org", "http://evil.org/?http://localhost"):
        assert "Access-Control-Allow-Origin" not in preflight(other)
