"""The server believes X-Forwarded-* only if the proxies that the settings name send it."""

import pytest

from tests.support.raw_http import HOST, ask, request
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import Gunicorn

pytestmark = pytest.mark.own_servers


@pytest.fixture(scope="module", params=["127.0.0.0/8,::1", "10.0.0.0/8", ""])
def server_behind(request):
    """A server that redirects to HTTPS, and the addresses of its proxies. The tests call from 127.0.0.1."""
    proxies = {"HTTPS_ONLY": "true", "TRUSTED_PROXY_COUNT": "1", "TRUSTED_PROXIES": request.param}
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, **proxies) as server:
        yield server, request.param


def status(server, *headers, path="/api/v1/schema"):
    return ask(server, request(f"GET {path}", *headers, alice=False)).status_code


def test_only_a_named_proxy_can_say_that_its_client_used_https(server_behind):
    server, proxies = server_behind

    assert status(server, "X-Forwarded-Proto: https") == (301 if proxies == "10.0.0.0/8" else 200)
    assert status(server, "X-Forwarded-Proto: http") == 301


@pytest.mark.parametrize("header", ["X-Forwarded-Ssl: on", "X-Forwarded-Protocol: ssl"])
def test_no_other_header_says_that_a_client_used_https(server_behind, header):
    server, _ = server_behind

    assert status(server, header) == 301
    assert status(server, header, "X-Forwarded-Proto: http") == 301


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /app", "PATH_INFO: /healthz"])
def test_no_header_changes_the_path(server_behind, header):
    server, _ = server_behind

    assert status(server, header, "X-Forwarded-Proto: https", path="/app/healthz") in {301, 404}
