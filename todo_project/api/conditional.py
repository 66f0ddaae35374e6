"""Conditional requests. All ETags are strong."""

import re
from datetime import datetime

from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from .errors import ValidationFailed


def etag(version: int | str) -> str:
    return f'"{version}"'


def compressed(etag: str) -> str:
    """The ETag of the same version in gzip: RFC 9110 requires strong ETags of different bytes to differ."""
    return f'{etag[:-1]}-gzip"'


def uncompressed(etag: str) -> str:
    return etag.replace('-gzip"', '"')


def not_modified(request: Request, current: str) -> Response | None:
    """A 304 response if the client has the current version."""
    header = request.META.get("HTTP_IF_NONE_MATCH")
    if header is None:
        return None
    # RFC 9110 requires weak comparison: a proxy that compresses a response adds W/ to its ETag.
    tags = {tag.removeprefix("W/") for tag in parse_etags(header)}
    for tag in (current, compressed(current)):
        if tag in tags or "*" in tags:
            return Response(status=304, headers={"ETag": tag})
    return None


def expiring_etag(current: str, until: datetime) -> str:
    """An ETag for what stays the same until this time, if no version changes before."""
    return f'{current[:-1]}-{int(until.timestamp()):x}"'


def not_expired(request: Request, current: str, now: datetime) -> Response | None:
    """A 304 response if the client has an expiring ETag of the current version that has not expired."""
    for tag in parse_etags(request.headers.get("If-None-Match", "")):
        sent, _, until = tag.removeprefix("W/").rpartition("-")
        is_current = f'{sent}"' == current and re.fullmatch('[0-9a-f]{1,12}"', until)
        if is_current and int(until[:-1], 16) > now.timestamp():
            return Response(status=304, headers={"ETag": tag.removeprefix("W/")})
    return None


class IfMatch:
    """The If-Match header of a write."""

    def __init__(self, request: Request) -> None:
        header = request.META.get("HTTP_IF_MATCH")
        tags = [uncompressed(tag) for tag in parse_etags(header)] if header is not None else ["*"]
        if not tags:
            raise ValidationFailed.of(
                "If-Match", "invalid", 'If-Match must be an ETag that the server sent, such as "17".'
            )
        self.tags = set(tags)
        self.versions: set[int] | None = None
        """The versions that the row may have; None for any."""
        if "*" not in tags:
            # Weak ETags and those of other servers match no version, so the write fails.
            strong = (tag for tag in tags if re.fullmatch(r'"(0|[1-9][0-9]{0,17})"', tag))
            self.versions = {int(tag.strip('"')) for tag in strong}

    def names(self, etag: str) -> bool:
        """Whether it matches an ETag that is not a version, such as that of a list."""
        return self.versions is None or etag in self.tags
