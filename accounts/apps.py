from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin


class AccountsConfig(AppConfig):
    name = "accounts"
    default = True


class StaffSiteConfig(admin.AdminConfig):
    """The Django admin with a custom login."""

    default = False
    default_site = (
        "accounts.second_factor.SecondFactorSite"
        if settings.STAFF_SECOND_FACTOR
        else "accounts.site.StaffSite"
    )
