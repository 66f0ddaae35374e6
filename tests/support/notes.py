"""The smallest resource that uses every part of the API: a model, a serializer and a view set."""

import uuid

from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connection, models
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import include, path
from django.utils import timezone
from django.views import View
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from todo_project import urls
from todo_project.api.conditional import IfMatch, etag, not_modified
from todo_project.api.endpoints import endpoint
from todo_project.api.errors import PreconditionFailed
from todo_project.api.fields import CharField, InstantField, IntegerField
from todo_project.api.pagination import KeysetPagination, PageParameters, ordering_parameter
from todo_project.api.serializers import StrictSerializer
from todo_project.api.views import ApiView, ApiViewSet
from todo_project.db.querysets import OwnedQuerySet


class Note(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    title = models.CharField(max_length=20)
    rank = models.IntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    extra = models.JSONField(default=dict)
    version = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        app_label = "todo_project"
        constraints = [
            models.UniqueConstraint(fields=["owner", "title"], name="note_title_once_per_owner"),
            models.CheckConstraint(
                condition=models.Q(rank__gte=0),
                name="note_rank_not_negative",
                violation_error_code="negative",
                violation_error_message="Rank may not be negative.",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class NoteSerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    title = CharField(max_length=20)
    rank = IntegerField(required=False)
    due_at = InstantField(required=False, allow_null=True)
    extra = serializers.JSONField(required=False)
    version = serializers.IntegerField(read_only=True)


class NoteParameters(PageParameters):
    ordering = ordering_parameter("created_at", "due_at", "rank", "title", default="-created_at")
    rank = serializers.IntegerField()
    q = serializers.CharField(help_text="Words in the title.")


class EmailAuthentication(BaseAuthentication):
    """The bearer token is the email of a user."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        email = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not email:
            return None
        user = User.objects.filter(email=email).first()
        if user is None:
            raise AuthenticationFailed
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class NoteViewSet(ApiViewSet):
    """Notes."""

    authentication_classes = [EmailAuthentication]
    permission_classes = [IsAuthenticated]
    serializer_class = NoteSerializer
    pagination_class = KeysetPagination
    lookup_field = "id"

    def get_queryset(self) -> OwnedQuerySet:
        return Note.objects.for_user(self.request.user)

    @endpoint("listNotes", "List your notes", parameters=NoteParameters)
    def list(self, request: Request) -> Response:
        notes = self.get_queryset()
        if "rank" in self.query:
            notes = notes.filter(rank=self.query["rank"])
        page = self.paginate_queryset(notes)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @endpoint("createNote", "Create a note")
    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        note = Note.objects.create(owner=request.user, **serializer.validated_data)
        data = self.get_serializer(note).data
        return Response(
            data, status=201, headers={"ETag": etag(note.version), "Location": f"/notes/{note.id}"}
        )

    @endpoint("getNote", "Get a note", conditional=True)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        note = get_object_or_404(self.get_queryset(), id=id)
        current = etag(note.version)
        return not_modified(request, current) or Response(
            self.get_serializer(note).data, headers={"ETag": current}
        )

    @endpoint("updateNote", "Update a note", conditional=True)
    def partial_update(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002
        if_match = IfMatch(request)
        serializer = self.get_serializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        rows = self.get_queryset().filter(id=id)
        guarded = rows if if_match.versions is None else rows.filter(version__in=if_match.versions)
        changed = guarded.update(**serializer.validated_data, version=F("version") + 1)
        note = get_object_or_404(rows)
        data = self.get_serializer(note).data
        if not changed:
            raise PreconditionFailed(details={"current": data})
        return Response(data, headers={"ETag": etag(note.version)})


class Crash(ApiView):
    """An API view that fails in the way named by its URL."""

    permission_classes = [AllowAny]

    @endpoint("fail", "Fail")
    def get(self, request: Request, how: str) -> Response:
        fail(how)
        return Response({})

    @endpoint("failToWrite", "Fail to write")
    def post(self, request: Request, how: str) -> Response:
        return self.get(request, how)


class PlainCrash(View):
    """A Django view that fails in the way named by its URL."""

    def get(self, request: HttpRequest, how: str) -> HttpResponse:
        if how != "header":
            fail(how)
        return HttpResponse(headers={"X-Invalid": "secret detail\0"})


def fail(how: str) -> None:
    match how:
        case "bug":
            raise RuntimeError("secret detail")
        case "suspicious":
            raise SuspiciousOperation("secret detail")
        case "forbidden":
            raise PermissionDenied("secret detail")
        case "sql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table_secret")
        case "null":
            Note.objects.create()
        case "timeout":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '50ms'")
                cursor.execute("SELECT pg_sleep(20)")
        case "slow":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(60)")
        case sqlstate:
            with connection.cursor() as cursor:
                cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$")


notes = NoteViewSet.as_view({"get": "list", "post": "create"})
note = NoteViewSet.as_view({"get": "retrieve", "patch": "partial_update"})
api = [
    path("notes", notes, name="notes"),
    path("notes/<id:id>", note, name="note"),
    path("crash/<how>", Crash.as_view()),
    path("plain/<how>", PlainCrash.as_view()),
]
urlpatterns = [
    path("api/v1/", include(api)),
    path("admin/plain/<how>", PlainCrash.as_view()),
    *urls.urlpatterns,
]
