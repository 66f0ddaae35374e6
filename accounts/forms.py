"""Where staff prove to the admin who they are."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from todo_project.api.addresses import UNKNOWN, client_address
from todo_project.api.errors import RateLimited

from . import login_guard


@contextmanager
def rate_limit_as_form_error() -> Iterator[None]:
    """As an error of the form, where the API answers 429."""
    try:
        yield
    except RateLimited as error:
        minutes = math.ceil(int(error.headers["Retry-After"]) / 60)
        raise ValidationError(f"Too many failed sign-ins. Try again in {minutes} minutes.") from error


class GuardedLoginForm(AdminAuthenticationForm):
    """The admin's login, behind the count of failures."""

    def clean(self) -> dict[str, Any]:
        with rate_limit_as_form_error():
            cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        # Nobody was looked for if a field was wrong already.
        if user is not None:
            login_guard.clear_failures(user, self.address)
        return cleaned

    @property
    def address(self) -> str:
        return client_address(self.request) if self.request else UNKNOWN


class OwnPasswordForm(AdminPasswordChangeForm):
    """One's own password, behind the same count: a browser that was left open is no place to guess it."""

    address = UNKNOWN

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        with rate_limit_as_form_error(), transaction.atomic():
            proven = login_guard.check_password_counted(self.user, password, self.address, at=timezone.now())
        if not proven:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password
