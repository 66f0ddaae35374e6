"""What a write is to the database."""

from collections.abc import Callable

from django.db import transaction
from rest_framework.response import Response

from .errors import ApiError


def all_or_nothing(write: Callable[[], Response]) -> Response:
    """Run a write in one transaction; a refusal undoes it, unless it says that what was noted down stands."""
    with transaction.atomic():
        try:
            return write()
        except ApiError as error:
            if not error.commits_on_error:
                raise
            refusal = error
    raise refusal
