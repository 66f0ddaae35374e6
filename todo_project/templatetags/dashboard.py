"""{% dashboard %}: the panels that the signed-in user has permission to see."""

from typing import Any

from django import template

from todo_project.admin.dashboard import snapshots_for

register = template.Library()


@register.inclusion_tag("admin/dashboard.html", takes_context=True)
def dashboard(context: dict[str, Any]) -> dict[str, Any]:
    return {"snapshots": snapshots_for(context["request"].user)}
