"""Every route stands twice: as it is, and under the caller's own id."""

from typing import Any

from django.urls import include, path

from . import views

owned: list[Any] = [
    path("tasks", views.Tasks.as_view({"get": "list", "post": "create"}), name="tasks"),
    path("tasks/bulk", views.Bulk.as_view({"post": "bulk"}), name="bulk"),
    path("tasks/stats", views.Stats.as_view({"get": "read"}), name="stats"),
    path(
        "tasks/<id:id>",
        views.Tasks.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
        name="task",
    ),
    path("tasks/<id:id>/complete", views.Tasks.as_view({"post": "complete"}), name="complete"),
    path("tasks/<id:id>/reopen", views.Tasks.as_view({"post": "reopen"}), name="reopen"),
    path("trash", views.Trash.as_view({"get": "list", "delete": "empty"}), name="trash"),
    path("trash/<id:id>", views.Trash.as_view({"get": "retrieve", "delete": "destroy"}), name="trashed"),
    path("trash/<id:id>/restore", views.Trash.as_view({"post": "restore"}), name="restore"),
    path("sync", views.Sync.as_view({"get": "read"}), name="sync"),
]

urlpatterns = [*owned, path("users/<user:user_id>/", include(owned))]
