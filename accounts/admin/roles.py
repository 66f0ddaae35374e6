"""Groups, under which the roles of staff are stored."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.http import HttpRequest

admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(auth_admin.GroupAdmin):
    """For superusers only: anyone who edits a role can grant permissions to themselves."""

    actions = None

    def has_module_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    has_add_permission = has_module_permission
    has_view_permission = has_change_permission = has_delete_permission = has_module_permission
