"""Sessions, personal access tokens and identities of the signed-in user."""

import uuid

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.endpoints import endpoint
from todo_project.api.errors import NotFound
from todo_project.api.pagination import KeysetPagination, PageParameters, ordering_parameter
from todo_project.api.parameters import DryRunParameters
from todo_project.api.views import ApiViewSet

from .. import identities, reauthentication
from ..authentication import SignedInRequest
from ..models import Identity, PersonalToken, Session
from ..querysets import IdentityQuerySet, PersonalTokenQuerySet, SessionQuerySet
from ..scopes import ACCOUNT
from ..serializers import (
    EndedSerializer,
    IdentitySerializer,
    NewPersonalTokenSerializer,
    PersonalTokenSerializer,
    SessionSerializer,
)
from .base import NO_STORE, validated_body


class CredentialListParameters(PageParameters):
    ordering = ordering_parameter("created_at", default="-created_at")


class CredentialViewSet(ListModelMixin, ApiViewSet):
    scope_area = ACCOUNT
    pagination_class = KeysetPagination
    lookup_field = "id"


@extend_schema(tags=["me"])
class SessionViewSet(CredentialViewSet):
    serializer_class = SessionSerializer
    queryset = Session.objects.none()

    def get_queryset(self) -> SessionQuerySet:
        return Session.objects.for_user(self.request.user).live(at=timezone.now())

    @endpoint("listSessions", "List your sessions", parameters=CredentialListParameters)
    def list(self, request: Request) -> Response:
        """Those that have not ended. `current` is true for the session of this request."""
        return super().list(request)

    @endpoint(
        "endAllSessions",
        "End all of your sessions, including this one",
        parameters=DryRunParameters,
        responses={200: EndedSerializer},
    )
    def destroy_all(self, request: SignedInRequest) -> Response:
        """Their tokens stop working immediately. Personal access tokens are kept."""
        return Response({"ended": self.get_queryset().end(at=timezone.now())})

    @endpoint(
        "endSession",
        "End one of your sessions",
        parameters=DryRunParameters,
        responses={200: EndedSerializer},
    )
    def destroy(self, request: SignedInRequest, id: uuid.UUID) -> Response:  # noqa: A002
        """Its tokens stop working immediately."""
        ended = self.get_queryset().filter(pk=id).end(at=timezone.now())
        if not ended:
            raise NotFound
        return Response({"ended": ended})


@extend_schema(tags=["me"])
class PersonalTokenViewSet(CredentialViewSet):
    serializer_class = PersonalTokenSerializer
    queryset = PersonalToken.objects.none()

    def get_queryset(self) -> PersonalTokenQuerySet:
        return PersonalToken.objects.for_user(self.request.user)

    @endpoint("listPersonalTokens", "List your personal access tokens", parameters=CredentialListParameters)
    def list(self, request: Request) -> Response:
        """Tokens for scripts. The tokens themselves are not shown again."""
        return super().list(request)

    @endpoint(
        "createPersonalToken",
        "Create a personal access token",
        request=PersonalTokenSerializer,
        responses={201: NewPersonalTokenSerializer},
        idempotent=False,  # The response contains the token. A retry fails on the unique name.
    )
    def create(self, request: SignedInRequest) -> Response:
        """Only this response contains the token: store it. The name must be new, so a retry is 409."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        reauthentication.lock_account(request)
        request.auth.require(*body["scopes"])  # No token creates one with more rights than its own.
        token, secret = PersonalToken.issue(
            request.user, at=timezone.now(), parent=request.auth.personal_token, **body
        )
        data = {**self.get_serializer(token).data, "token": secret}
        return Response(data, status=201, headers={**NO_STORE, "Location": f"{request.path}/{token.pk}"})

    @endpoint(
        "revokePersonalToken",
        "Revoke a personal access token",
        parameters=DryRunParameters,
        responses={200: PersonalTokenSerializer},
    )
    def destroy(self, request: SignedInRequest, id: uuid.UUID) -> Response:  # noqa: A002
        """Also revokes the tokens that were created with it."""
        reauthentication.lock_account(request)
        token = self.get_object()
        data = self.get_serializer(token).data
        token.delete()
        return Response(data)


@extend_schema(tags=["me"])
class IdentityViewSet(CredentialViewSet):
    serializer_class = IdentitySerializer
    queryset = Identity.objects.none()

    def get_queryset(self) -> IdentityQuerySet:
        return Identity.objects.for_user(self.request.user)

    @endpoint("listIdentities", "List your identities", parameters=CredentialListParameters)
    def list(self, request: Request) -> Response:
        """Your accounts at identity providers, whose tokens sign you in."""
        return super().list(request)

    @endpoint(
        "linkIdentity",
        "Link an identity to your account",
        request=IdentitySerializer,
        responses={200: IdentitySerializer, 201: IdentitySerializer},
    )
    def create(self, request: SignedInRequest) -> Response:
        """Needs your password or a sign-in of the last ten minutes. 200 if it is linked already."""
        body = validated_body(request, IdentitySerializer)
        claims = identities.verify_in_body(body["token"])
        reauthentication.confirm_linking(request, body.get("password"), at=timezone.now())
        reauthentication.lock_account(request)
        identity, created = identities.link(self.get_queryset(), request.user, claims)
        return Response(self.get_serializer(identity).data, status=201 if created else 200)

    @endpoint(
        "unlinkIdentity",
        "Unlink an identity",
        parameters=DryRunParameters,
        responses={200: IdentitySerializer},
    )
    def destroy(self, request: SignedInRequest, id: uuid.UUID) -> Response:  # noqa: A002
        """409 if it is the only way to sign in to your account."""
        reauthentication.lock_account(request)
        identity = self.get_object()
        data = self.get_serializer(identity).data
        identities.unlink(self.get_queryset(), request.user, identity)
        return Response(data)
