"""A write is one transaction."""

from collections.abc import Callable

from django.db import transaction
from rest_framework.response import Response

from .errors import ApiError


def run_in_transaction(write: Callable[[], Response]) -> Response:
    """An error rolls the write back, unless the error says that what was written is committed."""
    with transaction.atomic():
        try:
            return write()
        except ApiError as error:
            if not error.commits_on_error:
                raise
            failure = error
    raise failure
