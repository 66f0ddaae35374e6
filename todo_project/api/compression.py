"""Compressed responses. Their ETags stay strong, unlike those of Django's GZipMiddleware and of proxies."""

import gzip
import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from .conditional import compressed

MIN_SIZE = 1024
# The fastest: level 6 takes twice the time for a sixth less.
LEVEL = 1


class CompressionMiddleware:
    """Not for HTML pages, whose CSRF tokens a compressed length could give away, nor for streams."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.streaming:
            return response
        if request.path_info.startswith("/api/") and len(response.content) > MIN_SIZE:
            patch_vary_headers(response, ["Accept-Encoding"])
            if accepts_gzip(request):
                response.content = gzip.compress(response.content, LEVEL, mtime=0)
                response["Content-Encoding"] = "gzip"
                if "ETag" in response:
                    response["ETag"] = compressed(response["ETag"])
        response["Content-Length"] = str(len(response.content))
        return response


def accepts_gzip(request: HttpRequest) -> bool:
    codings = request.META.get("HTTP_ACCEPT_ENCODING", "").lower().split(",")
    weights = {name.strip(): weight for name, _, weight in (coding.partition(";") for coding in codings)}
    return "gzip" in weights and not re.fullmatch(r"\s*q=0(\.0*)?\s*", weights["gzip"])
