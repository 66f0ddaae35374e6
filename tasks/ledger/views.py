"""The objects of a kind, bulk changes, the trash and the sync feed.

get_queryset() is the only source of rows for reads and writes.
"""

import uuid
from collections.abc import Mapping, Sequence
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.conditional import IfMatch, etag, not_modified
from todo_project.api.endpoints import endpoint
from todo_project.api.errors import NotFound
from todo_project.api.filters import Filter, parameters_of
from todo_project.api.pagination import KeysetPagination, OrderingField, PageParameters
from todo_project.api.parameters import DryRunParameters, FieldsField, QueryParameters
from todo_project.api.paths import ME
from todo_project.api.serializers import StrictSerializer
from todo_project.api.views import ApiViewSet
from todo_project.db.json_text import json_array
from todo_project.db.keyset import keyset_for

from . import sync
from .filters import (
    FILTERS,
    SEARCH,
    EmptyTrashParameters,
    SyncParameters,
    TrashPageParameters,
    TrashParameters,
    TrashWriteParameters,
)
from .kinds import CREATE, DELETE, PURGE, RESTORE, UPDATE, Kind, kinds, tombstone_dict
from .models import Clock, OwnedObject, Tombstone
from .operations import Operation, perform
from .querysets import ObjectQuerySet
from .reads import ALL_FIELDS, ObjectPage, Selection, list_etag, read_one
from .serializers import (
    NO_BODY,
    BulkResponseSerializer,
    BulkSerializer,
    ChangesSerializer,
    EmptyTrashSerializer,
    TombstoneSerializer,
    any_change,
    any_kind,
    body_of,
    full_body,
    new_body,
    new_serializer_class,
    partial_body,
)
from .single_statement import Written, perform_in_one_statement
from .trash import count_trash, empty_trash, kinds_with_trash

CREATED = [
    OpenApiParameter("Location", location="header", response=True, description="URL of the object."),
    OpenApiParameter("ETag", location="header", response=True, description="Current version."),
]
write_endpoint = partial(endpoint, parameters=DryRunParameters, is_transaction=False)


class OwnedViewSet(ApiViewSet):
    """Objects of the authenticated user, at /tasks and at /users/{user_id}/tasks."""

    kind: Kind
    scope_area = "tasks"
    pagination_class = KeysetPagination
    lookup_field = "id"

    def get_queryset(self) -> ObjectQuerySet:
        rows: ObjectQuerySet = self.kind.model.objects.for_user(self.request.user)
        return rows

    @classmethod
    def rows_for(cls, kind: Kind, user: Any) -> ObjectQuerySet:
        """The result of get_queryset() for this user, or for a placeholder in a compiled query."""
        view = cls(kind=kind, request=cast(Request, SimpleNamespace(user=user)))
        return view.get_queryset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.kwargs.pop("user_id", ME) not in (ME, request.user.pk):
            raise NotFound

    @property
    def time_zone(self) -> ZoneInfo:
        """In which days begin and end: of the query, or of the user's profile."""
        user: Any = self.request.user
        return ZoneInfo(self.query.get("tz", user.time_zone))

    def selection(self, *, trashed: bool) -> Selection:
        return Selection(self.kind, self.rows_for, trashed, self.query.get("fields", ALL_FIELDS))

    def get_page(self, filters: Mapping[str, Filter], *, trashed: bool = False) -> Response:
        # Before the ETag: a list with an invalid cursor is an error, even if its ETag is current.
        keyset = keyset_for(self.kind.model, self.query["ordering"])
        KeysetPagination.read_cursor(keyset, self.request, self.query)
        user: Any = self.request.user
        current = list_etag(user, epoch=user.epoch, tick=user.tick)
        has_etag = not any(filters[name].depends_on_time for name in self.query.keys() & filters.keys())
        if has_etag and (unchanged := not_modified(self.request, current)):
            return unchanged
        selection = self.selection(trashed=trashed)
        rows: Any = ObjectPage(
            selection,
            user,
            filters,
            self.query,
            at=timezone.now(),
            zone=self.time_zone,
            may_use_replica=True,
        )
        page = self.paginate_queryset(rows) or []
        response = self.get_paginated_response(json_array([row[0] for row in page]))
        if has_etag:
            response["ETag"] = current
        return response

    def get_one(self, object_id: uuid.UUID, *, trashed: bool = False) -> Response:
        selection = self.selection(trashed=trashed)
        found = read_one(selection, self.request.user, object_id, may_use_replica=True)
        if found is None:
            raise NotFound
        version, text = found
        current = etag(version)
        return not_modified(self.request, current) or Response(
            orjson.Fragment(text), headers={"ETag": current}
        )

    def perform_one(
        self, verb: str, object_id: uuid.UUID | None = None, *, body: StrictSerializer | None = None
    ) -> Any:
        """Validate the request, apply a verb to an object, and return the object or its tombstone.

        In one statement if the operation concerns no other object, else in a transaction.
        """
        body = body or body_of(self.kind, verb)
        values = body.run_validation(self.request.data)
        key, versions = values.pop("key", None), IfMatch(self.request).versions
        operation = Operation(self.kind, verb, object_id, values, key=key, versions=versions)
        written = perform_in_one_statement(self.request.user, operation, self.rows_for)
        return written or self.perform([operation])[0]

    def perform(self, operations: Sequence[Operation]) -> list[Any]:
        # An Idempotency-Key and a dry run have begun a transaction already.
        with transaction.atomic(savepoint=not self.in_transaction):
            return perform(self.request.user, operations, self.rows_for)

    def change(self, *args: Any, **kwargs: Any) -> Response:
        return self.respond(self.perform_one(*args, **kwargs))

    def respond(self, result: OwnedObject | Tombstone | Written, **kwargs: Any) -> Response:
        if isinstance(result, Tombstone):
            return Response(tombstone_dict(result))
        data: Any = orjson.Fragment(result.json) if isinstance(result, Written) else self.kind.as_dict(result)
        return Response(data, headers={"ETag": etag(result.version)}, **kwargs)


class ObjectViewSet(OwnedViewSet):
    """The routes that every kind has. {kind} and {kinds} in the descriptions are its names."""

    filters: Mapping[str, Filter] = FILTERS
    orderings: Mapping[str, str] = {"created_at": "created_at", "updated_at": "version"}
    """The columns to sort by, by their names in the parameter `ordering`."""

    page_parameters: type[QueryParameters] = PageParameters
    default_ordering = "-created_at"

    @classmethod
    @cache
    def parameters_by_action(cls) -> dict[str, type[QueryParameters]]:
        fields = FieldsField(cls.kind.field_names)
        ordering = OrderingField(
            cls.orderings,
            default=cls.default_ordering,
            help_text="Missing values come last; ties are ordered by id. "
            "`updated_at` is the order of versions.",
        )
        filters = parameters_of(cls.filters)
        return {
            "list": type(
                "ListParameters", (cls.page_parameters, filters), {"ordering": ordering, "fields": fields}
            ),
            "retrieve": type("ObjectParameters", (QueryParameters,), {"fields": fields}),
        }

    def get_parameters(self) -> type[QueryParameters]:
        return self.parameters_by_action().get(self.action, super().get_parameters())

    def get_serializer_class(self) -> Any:
        return self.kind.serializer_class

    def get_request_serializer(self) -> Any:
        if self.action == "create":
            return new_serializer_class(self.kind)
        return self.get_serializer_class()

    @endpoint("list{Kinds}", "List your {kinds}", conditional=True)
    def list(self, request: Request) -> Response:
        """Excludes the trash. An unchanged page is 304, except with a filter that depends on the time."""
        return self.get_page(self.filters)

    @write_endpoint(
        "create{Kind}", "Create a {kind}", success=(201, 200), response_headers=CREATED, extra_statuses=(410,)
    )
    def create(self, request: Request) -> Response:
        """200 if a {kind} with this `key` exists already; it is not changed."""
        result = self.perform_one(CREATE, body=new_body(self.kind))
        response = self.respond(result, status=201 if result.is_new else 200)
        response["Location"] = f"{request.path}/{result.pk}"
        return response

    @endpoint("get{Kind}", "Get a {kind}", conditional=True)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """404 if it is in the trash."""
        return self.get_one(id)

    @write_endpoint("replace{Kind}", "Replace a {kind}", conditional=True)
    def update(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Omitted fields are reset to the defaults shown below; those without a default are kept."""
        return self.change(UPDATE, id, body=full_body(self.kind))

    @write_endpoint("update{Kind}", "Update the given fields of a {kind}", conditional=True)
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Concurrent changes to other fields are kept. `If-Match` rejects the update after any change."""
        return self.change(UPDATE, id, body=partial_body(self.kind))

    @write_endpoint("delete{Kind}", "Delete a {kind}", conditional=True, success=(200,), moves_to="trash")
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Moves it to the trash. Repeating it changes nothing."""
        return self.change(DELETE, id)

    @write_endpoint(
        "delete{Kind}",
        "Delete a {kind}",
        conditional=True,
        has_etag=False,
        responses={200: TombstoneSerializer},
    )
    def delete_permanently(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """It cannot be restored. Repeating it is 404."""
        return self.change(DELETE, id)


class BulkViewSet(OwnedViewSet):
    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """For the description."""
        return any_change()

    @write_endpoint(
        "applyChanges",
        "Apply up to 100 changes, all or none",
        request=BulkSerializer,
        responses=BulkResponseSerializer,
        extra_statuses=(404, 410, 412),
    )
    def apply(self, request: Request) -> Response:
        """An error names the operation by its index: `operations.3.title`."""
        serializer = BulkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        operations = serializer.validated_data["operations"]
        results = self.perform(operations)
        entries = [
            tombstone_dict(result)
            if isinstance(result, Tombstone)
            else operation.kind.as_dict(result, with_kind=True)
            for operation, result in zip(operations, results, strict=True)
        ]
        return Response({"results": entries})

    def restore_content(self, data: Any) -> Any:
        """Read the objects again that have not changed since. Of others, the content of then is not known."""
        current: dict[tuple[str, int], Any] = {}
        for kind in kinds.values():
            ids = [entry["id"] for entry in data["results"] if entry["kind"] == kind.name]
            for each in self.rows_for(kind, self.request.user).with_ids(ids):
                current[str(each.pk), each.version] = kind.as_dict(each, with_kind=True)
        return {"results": [current.get((entry["id"], entry["version"]), entry) for entry in data["results"]]}


class TrashViewSet(OwnedViewSet):
    def get_handler(self, request: Request) -> Any:
        handler = super().get_handler(request)
        if "kind" in self.query:
            self.kind = kinds[self.query["kind"]]
        return handler

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """For the description."""
        return any_kind("Object", lambda kind: kind.serializer_class, has_trash=True)

    @endpoint("listTrash", "List your trash", parameters=TrashPageParameters, conditional=True)
    def list(self, request: Request) -> Response:
        """The objects of one kind. By default, those deleted last come first."""
        return self.get_page(SEARCH, trashed=True)

    @endpoint("getTrashed", "Get an object in the trash", parameters=TrashParameters, conditional=True)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """404 if it is not in the trash, or is of another kind."""
        return self.get_one(id, trashed=True)

    @endpoint(
        "restore",
        "Restore an object from the trash",
        parameters=TrashWriteParameters,
        conditional=True,
        request=None,
    )
    def restore(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it changes nothing."""
        return self.change(RESTORE, id)

    @endpoint(
        "deletePermanently",
        "Delete an object permanently",
        parameters=TrashWriteParameters,
        conditional=True,
        has_etag=False,
        responses={200: TombstoneSerializer},
    )
    def destroy(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        """Repeating it is 404."""
        return self.change(PURGE, id)

    @endpoint(
        "emptyTrash",
        "Empty your trash permanently",
        parameters=EmptyTrashParameters,
        conditional=True,
        has_etag=False,
        shows_current=False,
        is_transaction=False,
        responses={200: EmptyTrashSerializer},
    )
    def empty(self, request: Request) -> Response:
        """`If-Match` takes the ETag of a list: nothing is deleted if an object of yours has changed since."""
        NO_BODY.run_validation(request.data)
        if_match = IfMatch(request)
        selected = [self.kind] if "kind" in self.query else kinds_with_trash()

        def allows(clock: Clock) -> bool:
            return if_match.names(list_etag(request.user, epoch=clock.epoch, tick=clock.tick))

        if self.query.get("dry_run"):
            purged = count_trash(request.user, selected, self.rows_for, allows=allows)
        else:
            purged = empty_trash(request.user, selected, self.rows_for, allows=allows)
        return Response({"purged": purged})


class SyncViewSet(OwnedViewSet):
    @endpoint(
        "listChanges",
        "List changes",
        parameters=SyncParameters,
        responses=ChangesSerializer,
        extra_statuses=(410,),
    )
    def read(self, request: Request) -> Response:
        """The changes to your objects in one order: each as it is now, or the fact that it was purged."""
        return Response(sync.changes(request.user, self.rows_for, may_use_replica=True, **self.query))
