"""Registration, sign-in, sign-out and password reset."""

import uuid
from typing import cast

from django.conf import settings
from django.contrib.auth import authenticate
from django.utils import timezone
from django.utils.crypto import salted_hmac
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.api.endpoints import endpoint
from todo_project.api.errors import Forbidden, NotAuthenticated
from todo_project.api.idempotency import HEADER
from todo_project.api.views import ApiView

from .. import password_reset, sessions, tokens
from ..authentication import SignedInRequest
from ..errors import InvalidCredentials
from ..models import Session, User
from ..serializers import (
    EndedSerializer,
    LoginResponseSerializer,
    LoginSerializer,
    LogoutSerializer,
    RefreshSerializer,
    RegistrationSerializer,
    ResetConfirmationSerializer,
    ResetSerializer,
    TokenPairSerializer,
    UserSerializer,
    validate_new_password,
)
from .base import NO_STORE, PublicView, profile_of, validated_body


@extend_schema(tags=["auth"])
class RegisterView(PublicView):
    @endpoint(
        "register",
        "Register",
        request=RegistrationSerializer,
        responses={201: UserSerializer},
        extra_statuses=(403,),
    )
    def post(self, request: Request) -> Response:
        """Creates an account. Then sign in with `signIn`."""
        if not settings.REGISTRATION_OPEN:
            raise Forbidden("Registration is closed. Ask an administrator for an account.")
        body = validated_body(request, RegistrationSerializer)
        user = User.objects.create_user(id=self.get_key_owner(request) or uuid.uuid4(), **body)
        return Response(profile_of(user), status=201, headers=NO_STORE)

    def get_key_owner(self, request: Request) -> uuid.UUID | None:
        """The new user, whose ID follows from the whole request, so that a retry finds the stored response.

        Another request with the same key has another ID, and learns nothing about the first.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return None
        content = key.encode() + b"\n" + request._request.body
        digest = salted_hmac("accounts.registration", content, algorithm="sha256").digest()
        return uuid.UUID(bytes=digest[:16], version=4)


@extend_schema(tags=["auth"])
class TokenView(PublicView):
    @endpoint(
        "signIn",
        "Sign in",
        request=LoginSerializer,
        responses={200: LoginResponseSerializer},
        extra_statuses=(401,),
        idempotent=False,
    )
    def post(self, request: Request) -> Response:
        """Returns an access token, to send with requests, and a refresh token for the next pair."""
        body = validated_body(request, LoginSerializer)
        user = authenticate(request._request, username=body["email"], password=body["password"])
        if not isinstance(user, User):
            raise InvalidCredentials
        pair = sessions.sign_in(user, request, at=timezone.now())
        return Response({**pair, "user": profile_of(user)}, headers=NO_STORE)


@extend_schema(tags=["auth"])
class TokenRefreshView(PublicView):
    @endpoint(
        "refreshTokens",
        "Exchange a refresh token",
        request=RefreshSerializer,
        responses={200: TokenPairSerializer},
        extra_statuses=(401,),
        idempotent=False,
    )
    def post(self, request: Request) -> Response:
        """Returns the next pair. A refresh token works once: store the new one."""
        token = validated_body(request, RefreshSerializer)["refresh"]
        return Response(sessions.refresh(token, at=timezone.now()), headers=NO_STORE)


@extend_schema(tags=["auth"])
class LogoutView(ApiView):
    """Ends the session of the access token, or of the refresh token in the body if there is one.

    A client can therefore sign out after its access token has expired.
    """

    permission_classes = [AllowAny]

    def perform_authentication(self, request: Request) -> None:
        """Not before the body is read: with a refresh token the header is ignored."""

    @endpoint(
        "signOut",
        "Sign out",
        request=LogoutSerializer,
        responses={200: EndedSerializer},
        extra_statuses=(401,),
        idempotent=False,
        auth=[{"bearer": []}, {}],
    )
    def post(self, request: Request) -> Response:
        refresh = validated_body(request, LogoutSerializer).get("refresh")
        session = tokens.read_refresh_token(refresh)[0] if refresh else self.current_session(request)
        ended = Session.objects.filter(pk=session).end(at=timezone.now()) if session else 0
        return Response({"ended": ended})

    def current_session(self, request: Request) -> uuid.UUID | None:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        return cast(SignedInRequest, request).auth.session


@extend_schema(tags=["auth"])
class PasswordResetView(PublicView):
    @endpoint(
        "requestPasswordReset",
        "Request a password reset by email",
        description="Always 202, whether an account with this email exists or not.",
        request=ResetSerializer,
        responses={202: None},
        idempotent=False,
    )
    def post(self, request: Request) -> Response:
        password_reset.send_token(validated_body(request, ResetSerializer)["email"])
        return Response({}, status=202)


@extend_schema(tags=["auth"])
class PasswordResetConfirmView(PublicView):
    @endpoint(
        "confirmPasswordReset",
        "Confirm a password reset",
        request=ResetConfirmationSerializer,
        responses={200: UserSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ends all sessions, revokes personal access tokens and unlinks identities."""
        body = validated_body(request, ResetConfirmationSerializer)
        user = password_reset.lock_user_of_token(body["token"])
        validate_new_password(body["new_password"], user, field="new_password")
        password_reset.set_password(user, body["new_password"], at=timezone.now())
        return Response(profile_of(user))

    def get_key_owner(self, request: Request) -> uuid.UUID | None:
        """The user whom the token names. Only the same request, with the token, finds the stored response."""
        return password_reset.user_id_of(validated_body(request, ResetConfirmationSerializer)["token"])
