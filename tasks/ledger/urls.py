"""The routes of every kind, of bulk changes, the trash and the feed."""

from typing import Any

from django.urls import include, path

from .views import BulkViewSet, ObjectViewSet, SyncViewSet, TrashViewSet


def object_routes(view: type[ObjectViewSet]) -> list[Any]:
    kind = view.kind
    one: Any = {"get": "retrieve", "put": "update", "patch": "partial_update"}
    one["delete"] = "destroy" if kind.has_trash else "delete_permanently"
    return [
        path(kind.plural, view.as_view({"get": "list", "post": "create"}), name=kind.plural),
        path(f"{kind.plural}/<id:id>", view.as_view(one), name=kind.name),
    ]


def under_user(routes: list[Any]) -> list[Any]:
    """The routes, and the same under the user's ID."""
    return [*routes, path("users/<user:user_id>/", include(routes))]


routes = [
    path("bulk", BulkViewSet.as_view({"post": "apply"}), name="bulk"),
    path("trash", TrashViewSet.as_view({"get": "list", "delete": "empty"}), name="trash"),
    path("trash/<id:id>", TrashViewSet.as_view({"get": "retrieve", "delete": "destroy"}), name="trashed"),
    path("trash/<id:id>/restore", TrashViewSet.as_view({"post": "restore"}), name="restore"),
    path("sync", SyncViewSet.as_view({"get": "read"}), name="sync"),
]
