"""The profile of the signed-in user, their password and their export."""

from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework.response import Response

from todo_project.api.concurrency import occupy_thread
from todo_project.api.endpoints import endpoint
from todo_project.api.parameters import DryRunParameters
from todo_project.operations.exporting import spooled

from .. import erasure, reauthentication
from ..authentication import SignedInRequest
from ..scopes import TASKS_READ
from ..serializers import (
    DeletionSerializer,
    PasswordChangeSerializer,
    UserSerializer,
    validate_new_password,
)
from .base import NO_STORE, AccountView, profile_of, validated_body


@extend_schema(tags=["me"])
class ProfileView(AccountView):
    @endpoint("getProfile", "Get your profile", responses={200: UserSerializer})
    def get(self, request: SignedInRequest) -> Response:
        """The profile also has your ID, from which clients compute the IDs of objects that have a `key`."""
        return Response(profile_of(request.user))

    @endpoint(
        "updateProfile",
        "Change your profile",
        parameters=DryRunParameters,
        request=UserSerializer,
        responses={200: UserSerializer},
    )
    def patch(self, request: SignedInRequest) -> Response:
        """Omitted fields are kept. Filters by day use your `time_zone`."""
        user = request.user
        changes = validated_body(request, UserSerializer)
        for field, value in changes.items():
            setattr(user, field, value)
        if changes:
            user.save(update_fields=list(changes))
        return Response(profile_of(user))

    @endpoint(
        "deleteAccount",
        "Permanently delete your account and all of its data",
        request=DeletionSerializer,
        responses={200: UserSerializer},
        takes_body=True,
    )
    def delete(self, request: SignedInRequest) -> Response:
        """It cannot be undone. Users without a password need a sign-in of the last ten minutes."""
        password = validated_body(request, DeletionSerializer).get("password")
        reauthentication.confirm_deletion(request, password, at=timezone.now())
        profile = profile_of(request.user)
        erasure.erase(request.user)
        return Response(profile)


@extend_schema(tags=["me"])
class PasswordView(AccountView):
    @endpoint(
        "changePassword",
        "Change your password and end all other sessions",
        request=PasswordChangeSerializer,
        responses={200: UserSerializer},
    )
    def post(self, request: SignedInRequest) -> Response:
        """The session of this request, personal access tokens and identities are kept."""
        body = validated_body(request, PasswordChangeSerializer)
        validate_new_password(body["new_password"], request.user, field="new_password")
        now = timezone.now()
        reauthentication.confirm_password(request, body["current_password"], field="current_password", at=now)
        request.user.change_password(body["new_password"], at=now, keep=request.auth.session)
        return Response(profile_of(request.user))


@extend_schema(tags=["me"])
class ExportView(AccountView):
    @endpoint(
        "exportData",
        "Export all of your data as one JSON file",
        description="A personal access token needs the scopes `account` and `tasks:read`. A second export "
        "at the same time may get 429.",
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: SignedInRequest) -> FileResponse:
        request.auth.require(TASKS_READ)
        # Reading everything takes seconds of the database's time.
        self.at_the_end.append(occupy_thread(request.user, task="export", limit=1))
        return FileResponse(
            spooled(request.user),
            as_attachment=True,
            filename="export.json",
            content_type="application/json",
            headers=NO_STORE,
        )
