"""Tasks."""

import uuid
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.endpoints import endpoint

from .filters import FILTERS, ORDERINGS
from .kinds import TASK
from .ledger.counts import read_counts
from .ledger.views import ObjectViewSet, write_endpoint
from .serializers import StatsSerializer

STATES = ("open", "completed", "overdue", "trashed")


class TaskViewSet(ObjectViewSet):
    kind = TASK
    filters = FILTERS
    orderings = ORDERINGS

    @write_endpoint("Complete a task", conditional=True, request=None)
    def complete(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("complete", id)

    @write_endpoint("Reopen a task", conditional=True, request=None)
    def reopen(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("reopen", id)

    @endpoint("Count your tasks by state", responses=StatsSerializer)
    def stats(self, request: Request) -> Response:
        tasks: Any = self.get_queryset().live()
        overdue = tasks.overdue(at=timezone.now())
        counts = read_counts(TASK, request.user, overdue=overdue)
        return Response({state: counts.get(state, 0) for state in STATES})
