"""The admin's index page, as staff with certain permissions see it."""

import re

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache

from .client import Client


def staff_with(*permissions: str) -> Client:
    """A signed-in staff member with these permissions only. Clears the cached figures."""
    cache.clear()
    user = get_user_model().objects.create(email=f"staff{len(permissions)}@example.com", is_staff=True)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def index_page(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.content.decode()


def panels(page: str) -> dict[str, dict[str, str]]:
    """The tiles of each panel, by its title."""
    sections = re.findall(r'<section class="figures-panel.*?</section>', page, re.DOTALL)
    return {text(re.findall(r"<h2>(.*?)<small>", section)[0]): tiles(section) for section in sections}


def tiles(section: str) -> dict[str, str]:
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", section)
    return {text(label): text(value) for label, value in pairs}


def table(page: str, title: str) -> dict[str, list[str]]:
    """The table below the chart with this title."""
    [body] = re.findall(rf"<caption[^>]*>{title}</caption>(.*?)</table>", page, re.DOTALL)
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', body)
    return {label: [*map(text, re.findall(r"<td>(.*?)</td>", cells))] for label, cells in rows}


def text(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", markup).split())
