"""Tasks, projects and labels."""

import uuid
from itertools import islice
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.conditional import expiring_etag, not_expired
from todo_project.api.endpoints import endpoint
from todo_project.api.errors import NotFound
from todo_project.db.json_text import as_json

from .filters import (
    FILTERS,
    LABEL_ORDERINGS,
    NONE,
    ORDERINGS,
    PROJECT_FILTERS,
    PROJECT_ORDERINGS,
    OccurrencesParameters,
    StatsParameters,
    TaskPageParameters,
)
from .kinds import LABEL, PROJECT, TASK
from .ledger.reads import list_etag
from .ledger.views import ObjectViewSet, write_endpoint
from .operations import ARCHIVE, COMPLETE, MOVE, REOPEN, SKIP, UNARCHIVE, next_occurrences
from .serializers import (
    CompletionSerializer,
    OccurrencesSerializer,
    ProjectMoveSerializer,
    SkipSerializer,
    StatsSerializer,
    TaskMoveSerializer,
)
from .stats import count_tasks


class TaskViewSet(ObjectViewSet):
    kind = TASK
    filters = FILTERS
    orderings = ORDERINGS
    page_parameters = TaskPageParameters

    def get_page(self, *args: Any, **kwargs: Any) -> Response:
        user: Any = self.request.user
        if self.query.get("project", NONE) != NONE or not user.n_archived_projects:
            self.query = {**self.query, "archived": True}  # Even if the project itself is archived.
        return super().get_page(*args, **kwargs)

    @write_endpoint(
        "completeTask",
        "Complete a task",
        conditional=True,
        request=CompletionSerializer,
        extra_statuses=(409,),
    )
    def complete(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Its open subtasks are completed at the same time, unless the body says otherwise.

        If the task repeats, its next occurrence is created. Repeating the request changes nothing.
        """
        return self.change(COMPLETE, id)

    @write_endpoint("reopenTask", "Reopen a task", conditional=True, request=None)
    def reopen(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Reopens the tasks that it is a subtask of, and the subtasks that were completed along with it.

        The next occurrence of a repeating task moves to the trash, unless it was changed. Repeating the
        request changes nothing.
        """
        return self.change(REOPEN, id)

    @write_endpoint("moveTask", "Move a task", conditional=True, request=TaskMoveSerializer)
    def move(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """To a place among its siblings, to another project or under another task. Subtasks move along."""
        return self.change(MOVE, id)

    @write_endpoint(
        "skipOccurrence",
        "Skip an occurrence of a repeating task",
        conditional=True,
        request=SkipSerializer,
        extra_statuses=(409,),
    )
    def skip(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Moves it on to its next day, without its subtasks.

        Repeating the request changes nothing, because the body names the occurrence.
        """
        return self.change(SKIP, id)

    @endpoint(
        "listOccurrences",
        "List the next occurrences of a repeating task",
        parameters=OccurrencesParameters,
        responses=OccurrencesSerializer,
    )
    def occurrences(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Without the present one, and as if each is completed on its day. Empty if it does not repeat."""
        tasks: Any = self.get_queryset().live()
        task = tasks.with_ids([id]).first()
        if task is None:
            raise NotFound
        found = islice(next_occurrences(task, now=timezone.now(), zone=self.time_zone), self.query["limit"])
        return Response({"results": [{name: as_json(each[name]) for name in each} for each in found]})

    @endpoint(
        "countTasks",
        "Count your tasks by state",
        parameters=StatsParameters,
        responses=StatsSerializer,
        conditional=True,
    )
    def stats(self, request: Request) -> Response:
        """The ETag also changes when a task becomes overdue, and at midnight."""
        user: Any = request.user
        now, zone = timezone.now(), self.time_zone
        current = list_etag(user, epoch=user.epoch, tick=user.tick)
        if unchanged := not_expired(request, current, now):
            return unchanged
        stats, until = count_tasks(
            self.rows_for, user, now=now, zone=zone, by=self.query.get("by"), may_use_replica=True
        )
        return Response(stats, headers={"ETag": expiring_etag(current, until)})


class ProjectViewSet(ObjectViewSet):
    kind = PROJECT
    filters = PROJECT_FILTERS
    orderings = PROJECT_ORDERINGS
    default_ordering = "position"

    @write_endpoint("archiveProject", "Archive a project", conditional=True, request=None)
    def archive(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """With the projects in it. Lists then leave out their tasks. Repeating it changes nothing."""
        return self.change(ARCHIVE, id)

    @write_endpoint("unarchiveProject", "Unarchive a project", conditional=True, request=None)
    def unarchive(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """With the projects that it is in, and those that were archived along with it.

        Repeating it changes nothing.
        """
        return self.change(UNARCHIVE, id)

    @write_endpoint("moveProject", "Move a project", conditional=True, request=ProjectMoveSerializer)
    def move(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """To a place among its siblings, or into another project."""
        return self.change(MOVE, id)


class LabelViewSet(ObjectViewSet):
    kind = LABEL
    orderings = LABEL_ORDERINGS
    default_ordering = "position"
