"""Tasks, the trash and the sync feed. get_queryset() is the only source of rows for reads and writes."""

import uuid
from functools import partial
from typing import Any

import orjson
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.conditional import IfMatch, etag, not_modified
from todo_project.api.endpoints import endpoint
from todo_project.api.errors import NotFound
from todo_project.api.pagination import Keyset, KeysetPagination
from todo_project.api.parameters import DryRunParameters
from todo_project.api.paths import ME
from todo_project.api.serializers import StrictSerializer
from todo_project.api.views import ApiViewSet
from todo_project.db.json_text import json_fragments

from . import sync
from .filters import FILTERS, SyncParameters, TaskParameters, TrashParameters
from .models import Task
from .operations import CREATE, PURGE, Operation, perform
from .querysets import TaskQuerySet
from .reads import TaskPage, list_etag, read_one
from .representation import as_dict
from .serializers import (
    FULL,
    NEW,
    NO_BODY,
    PARTIAL,
    BulkResponseSerializer,
    BulkSerializer,
    ChangesSerializer,
    EmptyTrashSerializer,
    NewTaskSerializer,
    StatsSerializer,
    TaskSerializer,
    TombstoneSerializer,
)
from .trash import empty_trash

CREATED = [
    OpenApiParameter("Location", location="header", response=True, description="URL of the task."),
    OpenApiParameter("ETag", location="header", response=True, description="Current version."),
]
write_endpoint = partial(endpoint, parameters=DryRunParameters)


class OwnedViewSet(ApiViewSet):
    """Tasks of the authenticated user, at /tasks and at /users/{user_id}/tasks."""

    scope_area = "tasks"
    serializer_class = TaskSerializer
    pagination_class = KeysetPagination
    lookup_field = "id"
    queryset = Task.objects.none()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.kwargs.pop("user_id", ME) not in (ME, request.user.pk):
            raise NotFound

    def get_page(self, *, trashed: bool) -> Response:
        # Before the ETag: a list with an invalid cursor is an error, even if its ETag is current.
        KeysetPagination.read_cursor(Keyset(Task, self.query["ordering"]), self.request, self.query)
        user: Any = self.request.user
        current = list_etag(user, user.tick)
        has_etag = not any(FILTERS[name].depends_on_time for name in self.query.keys() & FILTERS.keys())
        if has_etag and (unchanged := not_modified(self.request, current)):
            return unchanged
        tasks: Any = TaskPage(self.rows_for, user, self.query, trashed=trashed, at=timezone.now())
        response = self.get_paginated_response(json_fragments(self.paginate_queryset(tasks) or []))
        if has_etag:
            response["ETag"] = current
        return response

    def get_one(self, task: uuid.UUID, *, trashed: bool) -> Response:
        found = read_one(self.rows_for, self.request.user, task, trashed=trashed)
        if found is None:
            raise NotFound
        version, text = found
        current = etag(version)
        return not_modified(self.request, current) or Response(
            orjson.Fragment(text), headers={"ETag": current}
        )

    def perform_one(
        self, verb: str, task: uuid.UUID | None = None, *, body: StrictSerializer = NO_BODY
    ) -> Any:
        """Validate the request, apply a verb to a task, and return the task or its tombstone."""
        values = body.run_validation(self.request.data)
        key, versions = values.pop("key", None), IfMatch(self.request).versions
        operation = Operation(verb, task, values, key=key, versions=versions)
        [result] = perform(self.request.user, [operation], self.rows_for)
        return result

    def change(self, *args: Any, **kwargs: Any) -> Response:
        return self.task_response(self.perform_one(*args, **kwargs))

    def task_response(self, task: Task, **kwargs: Any) -> Response:
        return Response(as_dict(task), headers={"ETag": etag(task.version)}, **kwargs)


@extend_schema(tags=["tasks"])
class TaskViewSet(OwnedViewSet):
    def get_queryset(self) -> TaskQuerySet:
        return Task.objects.for_user(self.request.user)

    @endpoint("List your tasks", parameters=TaskParameters, conditional=True)
    def list(self, request: Request) -> Response:
        """Excludes the trash. An unchanged page is 304, except with `overdue`, which depends on the time."""
        return self.get_page(trashed=False)

    @write_endpoint(
        "Create a task",
        request=NewTaskSerializer,
        responses={201: TaskSerializer, 200: TaskSerializer},
        response_headers=CREATED,
        extra_statuses=(410,),
    )
    def create(self, request: Request) -> Response:
        """Only `title` is required. 200 if a task with this `key` exists already; it is not changed."""
        task = self.perform_one(CREATE, body=NEW)
        response = self.task_response(task, status=201 if task.is_new else 200)
        response["Location"] = f"{request.path}/{task.pk}"
        return response

    @endpoint("Get a task", conditional=True)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        return self.get_one(id, trashed=False)

    @write_endpoint("Replace a task; omitted fields are reset to their defaults", conditional=True)
    def update(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Only `title` is required."""
        return self.change("update", id, body=FULL)

    @write_endpoint("Update the given fields of a task", conditional=True)
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Concurrent changes to other fields are kept. `If-Match` rejects the update after any change."""
        return self.change("update", id, body=PARTIAL)

    @write_endpoint("Move a task to the trash", conditional=True, responses={200: TaskSerializer})
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("delete", id)

    @write_endpoint("Complete a task", conditional=True, request=None)
    def complete(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("complete", id)

    @write_endpoint("Reopen a task", conditional=True, request=None)
    def reopen(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("reopen", id)

    @write_endpoint(
        "Apply up to 100 changes, all or none",
        request=BulkSerializer,
        responses=BulkResponseSerializer,
        extra_statuses=(404, 410, 412),
    )
    def bulk(self, request: Request) -> Response:
        """An error names the operation by its index: `operations.3.title`."""
        serializer = BulkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tasks = perform(request.user, serializer.validated_data["operations"], self.rows_for)
        return Response({"results": [as_dict(task) for task in tasks]})

    @endpoint("Count your tasks by state", responses=StatsSerializer)
    def stats(self, request: Request) -> Response:
        return Response(self.get_queryset().stats(at=timezone.now()))


@extend_schema(tags=["trash"])
class TrashViewSet(OwnedViewSet):
    def get_queryset(self) -> TaskQuerySet:
        return Task.objects.for_user(self.request.user)

    @endpoint("List your trash", parameters=TrashParameters, conditional=True)
    def list(self, request: Request) -> Response:
        return self.get_page(trashed=True)

    @endpoint("Get a task in the trash", conditional=True)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        return self.get_one(id, trashed=True)

    @write_endpoint("Restore a task from the trash", conditional=True, request=None)
    def restore(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change("restore", id)

    @write_endpoint(
        "Delete a task permanently", conditional=True, has_etag=False, responses={200: TombstoneSerializer}
    )
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it is 404."""
        tombstone = self.perform_one(PURGE, id)
        return Response({"id": str(tombstone.task), "version": tombstone.version, "purged": True})

    @write_endpoint(
        "Empty your trash permanently",
        conditional=True,
        has_etag=False,
        responses={200: EmptyTrashSerializer},
    )
    def empty(self, request: Request) -> Response:
        """`If-Match` takes the ETag of a list: nothing is deleted if one of your tasks has changed since."""
        NO_BODY.run_validation(request.data)
        if_match = IfMatch(request)
        purged = empty_trash(
            request.user, self.rows_for, allows=lambda tick: if_match.names(list_etag(request.user, tick))
        )
        return Response({"purged": purged})


@extend_schema(tags=["sync"])
class SyncViewSet(OwnedViewSet):
    def get_queryset(self) -> TaskQuerySet:
        return Task.objects.for_user(self.request.user)

    @endpoint("List changes", parameters=SyncParameters, responses=ChangesSerializer, extra_statuses=(410,))
    def read(self, request: Request) -> Response:
        """The changes to your tasks in one order: each task as it is now, or the fact that it was purged."""
        return Response(sync.changes(request.user, self.rows_for, **self.query))
