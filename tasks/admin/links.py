"""Links to lists of one owner's tasks."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html


def tasks_link(owner_id: Any, text: Any, **filters: Any) -> str:
    query = urlencode({"owner": owner_id, **filters})
    return format_html('<a href="{}?{}">{}</a>', reverse("admin:tasks_task_changelist"), query, text)
