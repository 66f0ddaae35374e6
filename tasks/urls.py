"""All routes exist twice: at the top level and under the user's ID."""

from django.urls import path

from .ledger import urls as ledger
from .views import TaskViewSet

urlpatterns = ledger.under_user(
    [
        path("tasks/stats", TaskViewSet.as_view({"get": "stats"}), name="stats"),
        *ledger.object_routes(TaskViewSet),
        path("tasks/<id:id>/complete", TaskViewSet.as_view({"post": "complete"}), name="complete"),
        path("tasks/<id:id>/reopen", TaskViewSet.as_view({"post": "reopen"}), name="reopen"),
        *ledger.routes,
    ]
)
