"""{% dashboard %}: the figures that whoever is signed in may see."""

from typing import Any

from django import template

from todo_project.admin.dashboard import gather

register = template.Library()


@register.inclusion_tag("admin/dashboard.html", takes_context=True)
def dashboard(context: dict[str, Any]) -> dict[str, Any]:
    return {"readings": gather(context["request"].user)}
