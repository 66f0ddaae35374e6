"""The admin with its other login, for INSTALLED_APPS. In apps.py Django would take it for this room's."""

from django.contrib.admin.apps import AdminConfig


class SecondFactorAdminConfig(AdminConfig):
    default_site = "accounts.second_factor.SecondFactorSite"
