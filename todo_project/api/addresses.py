"""The client's address, as forwarded by TRUSTED_PROXY_COUNT proxies."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "unknown"


def client_address(request: HttpRequest) -> str:
    """For IPv6 the /64 network, because one household or server has a whole /64."""
    proxies = settings.TRUSTED_PROXY_COUNT
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    # Each proxy appends the address of its client. A client can forge only the entries before those.
    address = hops[-proxies].strip() if len(hops) >= proxies > 0 else request.META.get("REMOTE_ADDR", "")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
