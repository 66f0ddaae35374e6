"""Sign-in by email and password, for the API and the admin."""

from contextlib import nullcontext
from functools import partial
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from todo_project.api.addresses import client_address

from . import login_guard
from .models import User


class GuardedBackend(ModelBackend):
    """ModelBackend behind the login guard. As there, an unknown email costs one hash too."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> Any:
        email = User.objects.normalize_email(username or kwargs.get("email"))
        if email is None or password is None:
            return None
        now, address = timezone.now(), client_address(request) if request else ""
        email = email[:254]
        check = partial(super().authenticate, request, username=email, password=password)
        # Not a savepoint in the transaction of a request: those are two statements more, and an error here
        # has written nothing.
        with nullcontext() if connection.in_atomic_block else transaction.atomic():
            return login_guard.attempt(email, address, check, at=now)
