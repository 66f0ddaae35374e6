"""Users in the admin."""

import math
from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.forms import AdminUserCreationForm
from django.core.exceptions import ValidationError

from todo_project.errors import RateLimited

from .models import User


class GuardedLoginForm(AdminAuthenticationForm):
    """The admin's login, which tells of too many failures where the API answers 429."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except RateLimited as error:
            minutes = math.ceil(int(error.headers["Retry-After"]) / 60)
            raise ValidationError(f"Too many failed sign-ins. Try again in {minutes} minutes.") from error


admin.site.login_form = GuardedLoginForm


class CreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ["email", "name"]
        # The stock form wants a username field here.
        field_classes: dict[str, type] = {}


@admin.register(User)
class UserAdmin(auth_admin.UserAdmin):
    add_form = CreationForm
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
    fieldsets = [
        (None, {"fields": ["id", "email", "name", "password"]}),
        ("May", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("When", {"fields": ["created_at", "last_login"]}),
    ]
    readonly_fields = ["id", "created_at", "last_login"]
    list_display = ["email", "name", "is_active", "is_staff", "created_at"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["email", "name", "id"]
    ordering = ["-created_at"]
