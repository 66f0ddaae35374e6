"""Conditional requests: an ETag is a version in quotes, always strong; If-Match is a guard on the write."""

import re
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from .errors import ValidationFailed

M = TypeVar("M", bound=Model)


def etag(version: int | str) -> str:
    return f'"{version}"'


def not_modified(request: Request, current: str) -> Response | None:
    """A 304 when the client holds the current state already; asked before the state is read."""
    header = request.headers.get("If-None-Match")
    if header is None:
        return None
    # RFC 9110 compares If-None-Match weakly: a proxy that compressed the answer has put W/ before the tag.
    held = {tag.removeprefix("W/") for tag in parse_etags(header)}
    if "*" in held or current in held:
        return Response(status=304, headers={"ETag": current})
    return None


class IfMatch:
    """What a write's If-Match asks for: nothing, any state, or one of some versions."""

    def __init__(self, request: Request) -> None:
        header = request.headers.get("If-Match")
        tags = parse_etags(header) if header is not None else ["*"]
        if not tags:
            raise ValidationFailed.of(
                "If-Match", "invalid", 'If-Match takes the ETag as it came, such as "17".'
            )
        self.anything, self.tags = tags == ["*"], set(tags)
        # A weak or foreign tag equals no version of ours, so it can only fail the guard.
        self.versions = {int(tag.strip('"')) for tag in tags if re.fullmatch(r'"(0|[1-9][0-9]{0,17})"', tag)}

    def allows(self, version: int) -> bool:
        return self.anything or version in self.versions

    def names(self, current: str) -> bool:
        """For a state that is no row's version, such as a list's."""
        return self.anything or current in self.tags

    def guard(self, rows: QuerySet[M]) -> QuerySet[M]:
        """The rows that may be written, for one guarded UPDATE: no moment between the check and the write."""
        return rows if self.anything else rows.filter(version__in=self.versions)
