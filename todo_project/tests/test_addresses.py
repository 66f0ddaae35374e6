"""The client's address, by which failed logins and anonymous requests are counted."""

from ipaddress import ip_network

import pytest
from django.test import RequestFactory

from todo_project.api.addresses import client_address


def address_of(forwarded=None, *, remote="192.0.2.1"):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote))


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("forged, 203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("203.0.113.9:5678", "203.0.113.9"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("[2001:db8:0:1::7]", "2001:db8:0:1::/64"),
        ("[2001:db8:0:1::7]:99", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:99", "203.0.113.9"),
    ],
)
def test_a_forwarded_address_may_have_brackets_and_a_port(settings, forwarded, address):
    settings.TRUSTED_PROXY_COUNT = 1

    assert address_of(forwarded) == address


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        "unknown",
        "_hidden",
        "example.com:80",
        "203.0.113.9:x",
        "203.0.113.9:",
        "[2001:db8::1",
        "[203.0.113.9]:1x",
    ],
)
def test_an_address_that_cannot_be_read_is_empty(settings, forwarded):
    settings.TRUSTED_PROXY_COUNT = 1

    assert address_of(forwarded) == ""


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, None, ""),
        (2, "203.0.113.9", ""),
        (2, "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "forged, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
    ],
)
def test_the_address_is_the_one_that_the_outermost_trusted_proxy_has_seen(
    settings, proxies, forwarded, address
):
    settings.TRUSTED_PROXY_COUNT = proxies

    assert address_of(forwarded) == address


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("10.0.0.1", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9"),
        ("", "203.0.113.9"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_client_that_is_no_trusted_proxy_has_its_own_address(settings, remote, address):
    settings.TRUSTED_PROXY_COUNT, settings.TRUSTED_PROXIES = 1, [ip_network("10.0.0.0/8")]

    assert address_of("203.0.113.9", remote=remote) == address
