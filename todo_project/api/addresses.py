"""The client's address, as forwarded by TRUSTED_PROXY_COUNT proxies."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """For IPv6 the /64 network, because one household or server has a whole /64.

    Empty if it cannot be read. Nothing is counted by it then, because all such clients would share one limit.
    """
    try:
        address = _parse(_forwarded(request))
    except ValueError:
        return ""
    return str(ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)


def is_trusted_proxy(address: str) -> bool:
    """Whether X-Forwarded-* is read in requests from this address, which is empty for a Unix socket."""
    if not settings.TRUSTED_PROXIES or not address:
        return True
    parsed = _parse(address)
    return any(parsed in network for network in settings.TRUSTED_PROXIES)


def _forwarded(request: HttpRequest) -> str:
    remote, proxies = str(request.META.get("REMOTE_ADDR", "")), settings.TRUSTED_PROXY_COUNT
    if not proxies or not is_trusted_proxy(remote):
        return remote
    # Each proxy appends the address of its client. A client can forge only the entries before those.
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return hops[-proxies].strip() if len(hops) >= proxies else ""


@lru_cache(maxsize=10_000)
def _parse(address: str) -> IPv4Address | IPv6Address:
    """Some proxies append the client's port, and put IPv6 addresses in brackets."""
    parsed = ip_address(re.sub(r"^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$", r"\1\2", address))
    return (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed
