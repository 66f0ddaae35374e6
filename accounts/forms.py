"""The admin's forms: signing in, and creating and changing users."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth import forms as auth_forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.html import format_html
from django_otp.plugins.otp_totp.models import TOTPDevice

from todo_project.admin.forms import SingleLineField
from todo_project.api.addresses import client_address
from todo_project.db.compiled import execute_all

from . import login_guard, otp_devices
from .errors import TooManyAttempts
from .models import Session, User


@contextmanager
def rate_limit_as_form_error() -> Iterator[None]:
    """Turn TooManyAttempts, which is a 429 in the API, into an error of the form."""
    try:
        yield
    except TooManyAttempts as error:
        minutes = math.ceil(int(error.headers["Retry-After"]) / 60)
        raise ValidationError(f"Too many failed sign-ins. Try again in {minutes} minutes.") from error


class GuardedLoginForm(AdminAuthenticationForm):
    """The admin's login form, limited by the count of failed logins."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "The email or password is incorrect, or this is not a staff account.",
    }

    def clean(self) -> dict[str, Any]:
        with rate_limit_as_form_error():
            cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        # None if a field was already invalid.
        if user is not None:
            execute_all(login_guard.forget_failures(user, self.address))
        return cleaned

    @property
    def address(self) -> str:
        return client_address(self.request) if self.request else ""


class OwnPasswordForm(AdminPasswordChangeForm):
    """Changing one's own password."""

    def clean_old_password(self) -> str:
        return check_own_password(self.user, self.cleaned_data["old_password"])


class SecondFactorForm(forms.Form):
    """Proves that the authenticator app has the secret, and that the staff member is at the browser."""

    code = forms.CharField(
        label="Code from the app",
        max_length=16,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, user: User, app: TOTPDevice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user, self.app = user, app

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split())
        if not otp_devices.accept_code(self.app, code):
            raise ValidationError("The code is incorrect. Enter the six digits that the app shows now.")
        return code

    def clean_password(self) -> str:
        return check_own_password(self.user, self.cleaned_data["password"])


def check_own_password(user: User, password: str) -> str:
    """Limited, so that an unattended browser cannot be used to guess it. Locks the password."""
    with rate_limit_as_form_error():
        correct = login_guard.check_password_counted(user, password, "admin", at=timezone.now())
    if not correct or not user.lock_password():
        raise ValidationError("Your password was entered incorrectly. Enter it again.")
    return password


SIGN_IN_HELP = "If disabled, the user can sign in only through an identity provider."


class UserCreationForm(auth_forms.AdminUserCreationForm):
    usable_password = auth_forms.SetUnusablePasswordMixin.create_usable_password_field(SIGN_IN_HELP)

    class Meta:
        model = User
        fields = ["email", "name"]
        # Django's form maps a username field.
        field_classes: dict[str, type] = {}


class UserChangeForm(forms.ModelForm):
    """Saves only the fields that the user of the form changed, so it does not undo changes made since."""

    class Meta:
        field_classes = {"name": SingleLineField}
        labels = {"is_superuser": "Is superuser"}
        help_texts = {
            "is_superuser": "Has all permissions, and manages staff.",
            "groups": "Roles of staff, which grant permissions.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True
        data: Any = self.data
        self.data: Any = data.copy()
        if self.is_bound and "groups" in self.fields:
            # An empty initial value sends no hidden input, and Django would fall back to the stored groups.
            self.data.setlistdefault(self.add_initial_prefix("groups"), [])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        changed = {name: value for name, value in cleaned.items() if name in self.changed_data}
        for name in changed:
            if self.add_initial_prefix(name) in self.data:
                self.check_conflict(name)
        return {name: value for name, value in changed.items() if name in self.cleaned_data}

    def check_conflict(self, name: str) -> None:
        """Whether someone else has changed the same field to another value since the form was opened."""
        field, stored, opened_name = self.fields[name], self.initial[name], self.add_initial_prefix(name)
        opened = field.hidden_widget().value_from_datadict(self.data, self.files, opened_name)
        entered = field.widget.value_from_datadict(self.data, self.files, name)
        if field.has_changed(stored, opened) and field.has_changed(stored, entered):
            shown = ", ".join(map(str, stored)) if isinstance(stored, list) else stored
            self.add_error(
                name,
                f"Someone else has changed this to “{shown}”. To replace that by your change, save again.",
            )
            values = field.prepare_value(stored)
            self.data.setlist(opened_name, values if isinstance(values, list) else [values])


class SetPasswordForm(auth_forms.AdminPasswordChangeForm):
    """Ends the user's sessions, as every change of a password does."""

    usable_password_help_text = format_html(
        '{}<ul id="id_unusable_warning" class="messagelist"><li class="warning">{}</li></ul>',
        SIGN_IN_HELP,
        "If disabled, the current password of this user will be lost.",
    )

    def set_password_and_save(self, user: User, *args: Any, **kwargs: Any) -> User:
        super().set_password_and_save(user, *args, **kwargs)  # type: ignore[misc]
        Session.objects.for_user(user).end(at=timezone.now())
        return user
