"""Users in the admin."""

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.forms import AdminUserCreationForm

from .models import User


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
