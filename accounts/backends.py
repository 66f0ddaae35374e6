"""Sign-in by email and password, for the API and the admin."""

from functools import partial
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import transaction
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
        with transaction.atomic():
            return login_guard.attempt(email, address, check, at=now)
