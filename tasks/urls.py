"""All routes exist twice: at the top level and under the user's ID."""

from typing import Any

from django.urls import path

from .ledger import urls as ledger
from .ledger.views import ObjectViewSet
from .views import LabelViewSet, ProjectViewSet, TaskViewSet


def verb_routes(view: type[ObjectViewSet], *verbs: str) -> list[Any]:
    kind = view.kind
    return [
        path(f"{kind.plural}/<id:id>/{verb}", view.as_view({"post": verb}), name=f"{verb}-{kind.name}")
        for verb in verbs
    ]


urlpatterns = ledger.under_user(
    [
        *ledger.object_routes(TaskViewSet),
        *verb_routes(TaskViewSet, "complete", "reopen", "move", "skip"),
        path("tasks/<id:id>/occurrences", TaskViewSet.as_view({"get": "occurrences"}), name="occurrences"),
        path("tasks/stats", TaskViewSet.as_view({"get": "stats"}), name="stats"),
        *ledger.object_routes(ProjectViewSet),
        *verb_routes(ProjectViewSet, "archive", "unarchive", "move"),
        *ledger.object_routes(LabelViewSet),
        *ledger.routes,
    ]
)
