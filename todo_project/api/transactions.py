from collections.abc import Callable

from django.db import transaction
from rest_framework.response import Response

from .errors import ApiError


def run_in_transaction(write: Callable[[], Response]) -> Response:
    """Run a write in a transaction, which an error rolls back unless it has commits_on_error."""
    with transaction.atomic():
        try:
            return write()
        except ApiError as error:
            if not error.commits_on_error:
                raise
            failure = error
    raise failure


def run_and_roll_back(write: Callable[[], Response]) -> Response:
    """A dry run. Not for writes with effects outside the database, or with errors that are committed."""
    with transaction.atomic():
        response = write()
        transaction.set_rollback(True)
    response["Dry-Run"] = "true"
    return response
