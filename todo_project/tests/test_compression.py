"""Responses of the API over 1 KB are compressed for clients that accept it, and have strong ETags."""

import gzip
import json

import pytest

from tests.support.assertions import assert_error

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def large(as_alice):
    return as_alice("post", "/tasks", {"title": "milk", "description": "x" * 1000}).json()


@pytest.fixture
def path(large):
    return f"/tasks/{large['id']}"


def test_a_large_response_is_compressed_for_a_client_that_accepts_it(as_alice, large, path):
    response = as_alice("get", path, **GZIP)

    assert response["Content-Encoding"] == "gzip"
    assert int(response["Content-Length"]) == len(response.content) < 600
    assert json.loads(gzip.decompress(response.content)) == large


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip;q=0.0, *", "gzipped"])
def test_it_is_not_compressed_for_a_client_that_does_not_accept_it(as_alice, large, path, accepted):
    response = as_alice("get", path, **{"Accept-Encoding": accepted})

    assert "Content-Encoding" not in response
    assert response.json() == large


@pytest.mark.parametrize("accepted", ["gzip", "GZIP", "br;q=1, gzip;q=0.5", "gzip;q=1.0"])
def test_accept_encoding_may_list_several_codings(as_alice, path, accepted):
    assert as_alice("get", path, **{"Accept-Encoding": accepted})["Content-Encoding"] == "gzip"


def test_caches_keep_the_two_apart(as_alice, path):
    for headers in ({}, GZIP):
        assert "Accept-Encoding" in as_alice("get", path, **headers)["Vary"]


def test_a_small_response_is_not_compressed(as_alice):
    response = as_alice("post", "/tasks", {"title": "milk"}, **GZIP)

    assert "Content-Encoding" not in response
    assert response["ETag"] == '"1"'


def test_errors_are_compressed_too(as_alice):
    operations = [{"op": "create", "data": {"unknown": 1}} for _ in range(100)]
    response = as_alice("post", "/bulk", {"operations": operations}, **GZIP)

    assert response.status_code == 400
    assert json.loads(gzip.decompress(response.content))["error"]["code"] == "VALIDATION_ERROR"


def test_the_etag_of_a_compressed_response_is_strong_and_differs(as_alice, path):
    assert as_alice("get", path)["ETag"] == '"1"'
    assert as_alice("get", path, **GZIP)["ETag"] == '"1-gzip"'


@pytest.mark.parametrize("listed", [False, True])
def test_a_client_that_sends_the_etag_of_a_compressed_response_gets_304_with_it(as_alice, path, listed):
    url = "/tasks" if listed else path
    current = as_alice("get", url, **GZIP)["ETag"]

    response = as_alice("get", url, **GZIP, **{"If-None-Match": current})

    assert current.endswith('-gzip"')
    assert (response.status_code, response["ETag"]) == (304, current)


def test_if_match_takes_the_etag_of_a_compressed_response(as_alice, path):
    current = as_alice("get", path, **GZIP)["ETag"]

    first = as_alice("patch", path, {"priority": 1}, **{"If-Match": current})
    second = as_alice("patch", path, {"priority": 2}, **{"If-Match": current})

    assert first.json()["priority"] == 1
    assert_error(second, 412, "PRECONDITION_FAILED")


def test_emptying_the_trash_takes_the_etag_of_a_compressed_list(as_alice, path):
    as_alice("delete", path)
    current = as_alice("get", "/trash", **GZIP)["ETag"]

    assert current.endswith('-gzip"')
    assert as_alice("delete", "/trash", **{"If-Match": current}).json() == {"purged": 1}


def test_a_repeated_request_is_compressed_as_its_client_accepts(as_alice):
    body, key = {"title": "milk", "description": "x" * 1000}, {"Idempotency-Key": "once"}
    first = as_alice("post", "/tasks", body, **key, **GZIP)
    second = as_alice("post", "/tasks", body, **key)

    assert gzip.decompress(first.content) == second.content


def test_the_export_and_pages_are_not_compressed(as_alice, client, path):
    export = as_alice("get", "/me/export", **GZIP)
    export.close()

    assert "Content-Encoding" not in export
    assert "Content-Encoding" not in client.get("/", headers=GZIP)
