"""Colored names of projects and labels, and links to lists of one owner's tasks."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html


def colored(color: str | None, text: Any) -> Any:
    """The text after a dot of the color."""
    dot = '<svg class="dot" viewBox="0 0 10 10"><circle cx="5" cy="5" r="5" fill="{}"/></svg> {}'
    return format_html(dot, color, text) if color else text


def tasks_link(owner_id: Any, text: Any, **filters: Any) -> str:
    query = urlencode({"owner": owner_id, **filters})
    return format_html('<a href="{}?{}">{}</a>', reverse("admin:tasks_task_changelist"), query, text)
