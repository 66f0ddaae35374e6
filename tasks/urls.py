"""All routes exist twice: at the top level and under the user's ID."""

from typing import Any

from django.urls import include, path

from . import views

owned: list[Any] = [
    path("tasks", views.TaskViewSet.as_view({"get": "list", "post": "create"}), name="tasks"),
    path("tasks/bulk", views.TaskViewSet.as_view({"post": "bulk"}), name="bulk"),
    path("tasks/stats", views.TaskViewSet.as_view({"get": "stats"}), name="stats"),
    path(
        "tasks/<id:id>",
        views.TaskViewSet.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
        name="task",
    ),
    path("tasks/<id:id>/complete", views.TaskViewSet.as_view({"post": "complete"}), name="complete"),
    path("tasks/<id:id>/reopen", views.TaskViewSet.as_view({"post": "reopen"}), name="reopen"),
    path("trash", views.TrashViewSet.as_view({"get": "list", "delete": "empty"}), name="trash"),
    path(
        "trash/<id:id>", views.TrashViewSet.as_view({"get": "retrieve", "delete": "destroy"}), name="trashed"
    ),
    path("trash/<id:id>/restore", views.TrashViewSet.as_view({"post": "restore"}), name="restore"),
    path("sync", views.SyncViewSet.as_view({"get": "read"}), name="sync"),
]

urlpatterns = [*owned, path("users/<user:user_id>/", include(owned))]
