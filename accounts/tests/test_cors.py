"""Browser front-ends on other origins: closed unless named."""

import pytest
from django.test import Client

APP = "https://app.example.com"


def preflight(origin, *, method="PATCH", headers="authorization,content-type,if-match,idempotency-key"):
    return Client().options(
        "/api/v1/me",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": headers,
        },
    )


@pytest.fixture
def opened(settings, db):
    settings.CORS_ALLOWED_ORIGINS = [APP]


def test_nothing_is_open_by_default(db):
    assert "Access-Control-Allow-Origin" not in preflight(APP)


def test_a_named_origin_may_send_what_the_api_reads(opened):
    response = preflight(APP)

    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == APP
    assert "PATCH" in response["Access-Control-Allow-Methods"]
    for header in (
        "authorization",
        "content-type",
        "if-match",
        "if-none-match",
        "idempotency-key",
        "x-request-id",
    ):
        assert header in response["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "https://app.example.com.evil.org", "null", APP + ":8443"]
)
def test_any_other_origin_may_not(opened, origin):
    assert "Access-Control-Allow-Origin" not in preflight(origin)


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/nothing"])
def test_an_error_can_be_read_by_a_named_origin_too(opened, path):
    response = Client().get(path, headers={"Origin": APP})

    assert response.status_code in {401, 404}
    assert response["Access-Control-Allow-Origin"] == APP
    for header in ("ETag", "X-Request-ID", "Retry-After", "RateLimit-Remaining"):
        assert header in response["Access-Control-Expose-Headers"]


def test_cookies_are_never_allowed(opened):
    assert "Access-Control-Allow-Credentials" not in preflight(APP)


def test_the_admin_is_not_opened(opened):
    assert "Access-Control-Allow-Origin" not in Client().get("/admin/login/", headers={"Origin": APP})
