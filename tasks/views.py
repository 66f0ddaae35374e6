"""The routes about tasks: which sentence they read by, or which operation they perform."""

import uuid
from typing import Any

import orjson
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.conditional import IfMatch, etag, not_modified
from todo_project.api.errors import NotFound
from todo_project.api.pagination import Keyset, KeysetPagination
from todo_project.api.paths import ME
from todo_project.api.serializers import StrictSerializer
from todo_project.api.views import ApiViewSet

from . import purge, sync
from .filters import RELATIVE_TO_NOW, SyncParameters, TaskParameters, TrashParameters
from .models import Task
from .operations import CREATE, Operation, perform
from .reading import TaskPage, one
from .representation import as_dict, json_fragments, list_etag
from .serializers import (
    NOTHING,
    PART,
    WHOLE,
    BulkAnswerSerializer,
    BulkSerializer,
    ChangesSerializer,
    EmptiedSerializer,
    StatsSerializer,
    TaskSerializer,
    TombstoneSerializer,
)


class OwnedView(ApiViewSet):
    """Of all the tasks there are, a caller's own."""

    scope_area = "tasks"
    serializer_class = TaskSerializer
    pagination_class = KeysetPagination
    lookup_field = "id"
    queryset = Task.objects.none()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.kwargs.pop("user_id", ME) not in (ME, request.user.pk):
            raise NotFound

    def page(self, *, trashed: bool) -> Response:
        """A page of those that match; a client that holds it already is told so before it is read."""
        # First: a cursor that is none of ours is no page that a client could hold already.
        KeysetPagination.read_cursor(Keyset(Task, self.query["ordering"]), self.request, self.query)
        current = state_of(self.request.user)
        changes_by_itself = bool(RELATIVE_TO_NOW & self.query.keys())
        if not changes_by_itself and (unchanged := not_modified(self.request, current)):
            return unchanged
        tasks = TaskPage(self.request.user, self.query, trashed=trashed, at=timezone.now())
        page: Any = self.paginate_queryset(tasks)  # type: ignore[arg-type]
        response = self.get_paginated_response(json_fragments(page))
        if not changes_by_itself:
            response["ETag"] = current
        return response

    def one(self, id: uuid.UUID, *, trashed: bool) -> Response:  # noqa: A002
        found = one(self.request.user, id, trashed=trashed)
        if found is None:
            raise NotFound
        version, text = found
        current = etag(version)
        unchanged = not_modified(self.request, current)
        return unchanged or Response(orjson.Fragment(text), headers={"ETag": current})

    def change(
        self,
        verb: str,
        id: uuid.UUID | None = None,  # noqa: A002
        *,
        takes: StrictSerializer = NOTHING,
    ) -> Response:
        values = takes.run_validation(self.request.data)
        operation = Operation(verb, id, values, IfMatch(self.request).allows)
        (task,) = perform(self.request.user, [operation])
        return Response(as_dict(task), headers={"ETag": etag(task.version)})


def state_of(owner: Any) -> str:
    """The ETag of all of an owner's lists, as it was when the caller was looked up."""
    return list_etag(owner, getattr(owner, "tick", None) or 0)


@extend_schema_view(
    list=extend_schema(summary="Your tasks, page by page"),
    create=extend_schema(
        summary="Make a task",
        responses={201: TaskSerializer},
        parameters=[
            OpenApiParameter("Location", location="header", response=True, description="Where it is."),
            OpenApiParameter("ETag", location="header", response=True, description="Its state."),
        ],
    ),
    retrieve=extend_schema(summary="Read a task"),
    update=extend_schema(summary="Replace a task; what you leave out becomes as in a new one"),
    partial_update=extend_schema(summary="Change what you send of a task, and nothing else"),
    destroy=extend_schema(summary="Move a task to the trash", responses={200: TaskSerializer}),
)
@extend_schema(tags=["tasks"])
class Tasks(OwnedView):
    """What you have to do."""

    query_parameters = {"list": TaskParameters}
    conditional = ("list", "retrieve", "update", "partial_update", "destroy", "complete", "reopen")

    def list(self, request: Request) -> Response:
        """Those in the trash are not among them. An unchanged page is 304 (but not with `overdue`)."""
        return self.page(trashed=False)

    def create(self, request: Request) -> Response:
        """Only the title is required."""
        response = self.change(CREATE, takes=WHOLE)
        response.status_code = 201
        response["Location"] = f"{request.path}/{response.data['id']}"
        return response

    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        return self.one(id, trashed=False)

    def update(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Only the title is required."""
        return self.change("update", id, takes=WHOLE)

    def partial_update(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """What others change at the same time stays; `If-Match` refuses to change what they have changed."""
        return self.change("update", id, takes=PART)

    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeated, it keeps the first time."""
        return self.change("delete", id)

    @extend_schema(summary="Complete a task", request=None)
    def complete(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeated, it keeps the first time."""
        return self.change("complete", id)

    @extend_schema(summary="Reopen a task", request=None)
    def reopen(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeated, it changes nothing."""
        return self.change("reopen", id)


@extend_schema(tags=["tasks"])
class Bulk(OwnedView):
    """Many changes at once, all or none."""

    extra_statuses = (404, 412)

    @extend_schema(
        summary="Make many changes, all or none",
        request=BulkSerializer,
        responses=BulkAnswerSerializer,
    )
    def bulk(self, request: Request) -> Response:
        """An error names the operation by its place, from 0: `operations.3.title`."""
        given = BulkSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        tasks = perform(request.user, given.validated_data["operations"])
        return Response({"results": [as_dict(task) for task in tasks]})


@extend_schema(tags=["tasks"])
class Stats(OwnedView):
    """How much there is to do."""

    @extend_schema(summary="How many tasks of each kind you have", responses=StatsSerializer)
    def read(self, request: Request) -> Response:
        return Response(Task.objects.for_user(request.user).stats(at=timezone.now()))


@extend_schema_view(
    list=extend_schema(summary="Your trash, page by page"),
    retrieve=extend_schema(summary="Read a task of the trash"),
    destroy=extend_schema(summary="Delete a task for good", responses={200: TombstoneSerializer}),
)
@extend_schema(tags=["trash"])
class Trash(OwnedView):
    """What you have thrown away, and may still take back."""

    query_parameters = {"list": TrashParameters}
    conditional = ("list", "retrieve", "restore", "destroy", "empty")
    final = ("destroy", "empty")

    def list(self, request: Request) -> Response:
        return self.page(trashed=True)

    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        return self.one(id, trashed=True)

    @extend_schema(summary="Take a task out of the trash", request=None)
    def restore(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeated, it changes nothing."""
        return self.change("restore", id)

    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeated, it is not found."""
        NOTHING.run_validation(request.data)
        return Response(purge.purge(request.user, id, IfMatch(request)))

    @extend_schema(summary="Empty your trash, for good", responses={200: EmptiedSerializer})
    def empty(self, request: Request) -> Response:
        """`If-Match` takes the ETag of a list: nothing is purged if any of your tasks has changed since."""
        NOTHING.run_validation(request.data)
        return Response({"purged": purge.empty_trash(request.user, IfMatch(request))})


@extend_schema(tags=["sync"])
class Sync(OwnedView):
    """For clients that keep a copy."""

    query_parameters = {"read": SyncParameters}
    extra_statuses = (410,)

    @extend_schema(summary="What has changed since", responses=ChangesSerializer)
    def read(self, request: Request) -> Response:
        """All changes of your tasks in one order: a task as it is now, or that it was deleted for good."""
        return Response(sync.changes(request.user, **self.query))
