"""Tasks."""

import uuid
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.endpoints import endpoint
from todo_project.api.filters import Moment

from .filters import FILTERS, ORDERINGS, TaskPageParameters, TimeZoneParameters
from .kinds import TASK
from .ledger.counts import read_counts
from .ledger.views import ObjectViewSet, write_endpoint
from .serializers import StatsSerializer

STATES = ("open", "completed", "overdue", "trashed")


class TaskViewSet(ObjectViewSet):
    kind = TASK
    filters = FILTERS
    orderings = ORDERINGS
    page_parameters = TaskPageParameters

    @write_endpoint("completeTask", "Complete a task", conditional=True, request=None)
    def complete(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("complete", id)

    @write_endpoint("reopenTask", "Reopen a task", conditional=True, request=None)
    def reopen(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("reopen", id)

    @endpoint(
        "countTasks", "Count your tasks by state", parameters=TimeZoneParameters, responses=StatsSerializer
    )
    def stats(self, request: Request) -> Response:
        tasks: Any = self.get_queryset().live()
        moment = Moment.of(timezone.now(), self.time_zone)
        overdue = tasks.overdue(at=moment.now, today=moment.today)
        counts = read_counts(TASK, request.user, overdue=overdue)
        return Response({state: counts.get(state, 0) for state in STATES})
