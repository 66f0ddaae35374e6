"""The client's address, as forwarded by TRUSTED_PROXY_COUNT proxies."""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """For IPv6 the /64 network, because one household or server has a whole /64.

    Empty if it cannot be read. Nothing is counted by it then, because all such clients would share one limit.
    """
    try:
        parsed = ipaddress.ip_address(_without_port(_forwarded(request)))
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _forwarded(request: HttpRequest) -> str:
    proxies = settings.TRUSTED_PROXY_COUNT
    if not proxies:
        return str(request.META.get("REMOTE_ADDR", ""))
    # Each proxy appends the address of its client. A client can forge only the entries before those.
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return hops[-proxies].strip() if len(hops) >= proxies else ""


def _without_port(address: str) -> str:
    """Some proxies append the client's port, and put IPv6 addresses in brackets."""
    return re.sub(r"^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$", r"\1\2", address)
