"""Permission names, checked against the models when they are declared and not when somebody needs one."""

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.core.exceptions import ImproperlyConfigured


def checked_permission(name: str) -> str:
    """The name itself, if one of the app's models has such a permission."""
    app_label, _, codename = name.partition(".")
    if codename not in permission_codenames(app_label):
        raise ImproperlyConfigured(f"There is no permission {name!r}.")
    return name


def permission_codenames(app_label: str) -> set[str]:
    codenames: set[str] = set()
    for model in apps.get_models():
        if model._meta.app_label == app_label:
            actions = model._meta.default_permissions
            codenames |= {get_permission_codename(action, model._meta) for action in actions}
            codenames |= {codename for codename, _ in model._meta.permissions}
    return codenames
