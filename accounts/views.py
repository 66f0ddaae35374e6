"""The routes about who is asking. Each view says what is asked for; the verbs are beside it."""

import uuid
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import authenticate
from django.db.models import Model, QuerySet
from django.http import FileResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiTypes, extend_schema, extend_schema_view
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from todo_project.api.addresses import client_address
from todo_project.api.errors import Conflict, Forbidden, NotAuthenticated, ValidationFailed
from todo_project.api.pagination import KeysetPagination, PageParameters, ordering_parameter
from todo_project.api.views import ApiView, ApiViewSet

from . import erasure, export, login_guard, password_reset, sessions, tokens
from .authentication import SignedInRequest, read_outside_token, text_claim
from .errors import InsufficientScope, InvalidCredentials
from .models import Identity, PersonalToken, Session, User
from .scopes import ACCOUNT
from .serializers import (
    DeletionSerializer,
    EndedSerializer,
    IdentitySerializer,
    LoginAnswerSerializer,
    LoginSerializer,
    LogoutSerializer,
    NewPersonalTokenSerializer,
    PasswordChangeSerializer,
    PersonalTokenSerializer,
    RefreshSerializer,
    RegistrationSerializer,
    ResetConfirmationSerializer,
    ResetSerializer,
    SessionSerializer,
    TokenPairSerializer,
    UserSerializer,
    validate_new_password,
)

NO_STORE = {"Cache-Control": "no-store"}
RECENT = timedelta(minutes=10)


class WrongPassword(ValidationFailed):
    """The password that was asked again is not the one; the count of failures stands."""

    commits_on_error = True


class PublicView(ApiView):
    """For callers who have no token yet: one that is left over in a header must not stand in their way."""

    authentication_classes = []
    permission_classes = [AllowAny]


class AccountView(ApiView):
    scope_area = ACCOUNT


def checked(serializer: Any, request: Request, **context: Any) -> dict[str, Any]:
    """The body, as this serializer understands it."""
    given = serializer(data=request.data, context={"request": request, **context})
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values


@extend_schema(tags=["auth"])
class Register(PublicView):
    extra_statuses = (403,)

    @extend_schema(summary="Make an account", request=RegistrationSerializer, responses={201: UserSerializer})
    def post(self, request: Request) -> Response:
        if not settings.REGISTRATION_OPEN:
            raise Forbidden("Registration is closed here. Ask an administrator for an account.")
        user = User.objects.create_user(**checked(RegistrationSerializer, request))
        return Response(UserSerializer(user).data, status=201, headers=NO_STORE)


@extend_schema(tags=["auth"])
class Token(PublicView):
    extra_statuses = (401,)

    @extend_schema(summary="Sign in", request=LoginSerializer, responses={200: LoginAnswerSerializer})
    def post(self, request: Request) -> Response:
        given = checked(LoginSerializer, request)
        user = authenticate(request._request, username=given["email"], password=given["password"])
        if not isinstance(user, User):
            raise InvalidCredentials
        pair = sessions.sign_in(user, request, at=timezone.now())
        return Response({**pair, "user": UserSerializer(user).data}, headers=NO_STORE)


@extend_schema(tags=["auth"])
class TokenRefresh(PublicView):
    extra_statuses = (401,)

    @extend_schema(
        summary="Exchange a refresh token", request=RefreshSerializer, responses={200: TokenPairSerializer}
    )
    def post(self, request: Request) -> Response:
        token = checked(RefreshSerializer, request)["refresh"]
        return Response(sessions.refresh(token, at=timezone.now()), headers=NO_STORE)


@extend_schema(tags=["auth"])
class Logout(ApiView):
    """Ends the caller's session, or that of the refresh token sent: one can sign out after access expired."""

    permission_classes = [AllowAny]
    idempotent = False
    extra_statuses = (401,)

    def perform_authentication(self, request: Request) -> None:
        """Left to the method: with a refresh token the header does not matter."""

    @extend_schema(summary="Sign out", request=LogoutSerializer, responses={200: EndedSerializer})
    def post(self, request: Request) -> Response:
        given = checked(LogoutSerializer, request)
        session = self.which(request, given.get("refresh"))
        ended = Session.objects.filter(pk=session).end(at=timezone.now()) if session else 0
        return Response({"ended": ended})

    def which(self, request: Request, refresh: str | None) -> uuid.UUID | None:
        if refresh is not None:
            return tokens.read_refresh_token(refresh)[0]
        if not request.user.is_authenticated:
            raise NotAuthenticated
        return cast(SignedInRequest, request).auth.session


@extend_schema(tags=["auth"])
class PasswordReset(PublicView):
    @extend_schema(
        summary="Ask for a new password by email",
        description="Always 202, whether there is such an account or not.",
        request=ResetSerializer,
        responses={202: None},
    )
    def post(self, request: Request) -> Response:
        password_reset.offer(checked(ResetSerializer, request)["email"])
        return Response({}, status=202)


@extend_schema(tags=["auth"])
class PasswordResetConfirm(PublicView):
    @extend_schema(
        summary="Choose the new password",
        request=ResetConfirmationSerializer,
        responses={200: UserSerializer},
    )
    def post(self, request: Request) -> Response:
        given = checked(ResetConfirmationSerializer, request)
        user = password_reset.owner_of(given["token"])
        if user is None:
            raise ValidationFailed.of(
                "token", "invalid", "This token is not good any more. Ask for a new one."
            )
        check_new_password(given["new_password"], user)
        password_reset.redeem(user, given["new_password"], at=timezone.now())
        return Response(UserSerializer(user).data)


def check_new_password(password: str, user: User) -> None:
    try:
        validate_new_password(password, user)
    except ValidationError as error:
        raise ValidationError({"new_password": error.detail}) from error


def confirm_password(request: SignedInRequest, field: str, password: str) -> None:
    """Have a signed-in caller prove that they know the password."""
    address = client_address(request._request)
    if not login_guard.check_password_counted(request.user, password, address, at=timezone.now()):
        raise WrongPassword.of(field, "wrong", "This is not your password.")


@extend_schema(tags=["me"])
class Me(AccountView):
    @extend_schema(summary="Who you are", responses={200: UserSerializer})
    def get(self, request: SignedInRequest) -> Response:
        return Response(UserSerializer(request.user).data)

    @extend_schema(summary="Change your profile", request=UserSerializer, responses={200: UserSerializer})
    def patch(self, request: SignedInRequest) -> Response:
        user = request.user
        changes = checked(UserSerializer, request)
        for field, value in changes.items():
            setattr(user, field, value)
        if changes:
            user.save(update_fields=list(changes))
        return Response(UserSerializer(user).data)

    @extend_schema(
        summary="Delete your account and all that is yours, for good",
        request=DeletionSerializer,
        responses={200: UserSerializer},
    )
    def delete(self, request: SignedInRequest) -> Response:
        user = request.user
        given = checked(DeletionSerializer, request)
        if user.has_usable_password():
            if "password" not in given:
                raise ValidationFailed.of("password", "required", "Password is required.")
            confirm_password(request, "password", given["password"])
        elif (
            request.auth.issued_at is None
            or timezone.now().timestamp() - request.auth.issued_at > RECENT.seconds
        ):
            raise Forbidden(
                "Sign in again first: deleting an account asks for a token of the last ten minutes."
            )
        gone = UserSerializer(user).data
        erasure.erase(user)
        return Response(gone)


@extend_schema(tags=["me"])
class Password(AccountView):
    @extend_schema(
        summary="Change your password; every other session ends",
        request=PasswordChangeSerializer,
        responses={200: UserSerializer},
    )
    def post(self, request: SignedInRequest) -> Response:
        given = checked(PasswordChangeSerializer, request)
        confirm_password(request, "current_password", given["current_password"])
        request.user.change_password(given["new_password"], at=timezone.now(), keep=request.auth.session)
        return Response(UserSerializer(request.user).data)


@extend_schema(tags=["me"])
class Export(AccountView):
    @extend_schema(summary="Everything you own, as one JSON file", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: SignedInRequest) -> FileResponse:
        return FileResponse(
            export.whole(request.user),
            as_attachment=True,
            filename="export.json",
            content_type="application/json",
            headers=NO_STORE,
        )


class AccountListParameters(PageParameters):
    ordering = ordering_parameter("created_at", default="-created_at")


class OwnedAccountViewSet(ApiViewSet):
    """What belongs to the caller and is seen by nobody else."""

    scope_area = ACCOUNT
    pagination_class = KeysetPagination
    query_parameters = {"list": AccountListParameters}
    lookup_field = "id"

    def list(self, request: SignedInRequest) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def mine(self, id: uuid.UUID) -> Any:  # noqa: A002
        return get_object_or_404(self.get_queryset(), id=id)


@extend_schema_view(list=extend_schema(summary="Where you are signed in"))
@extend_schema(tags=["me"])
class Sessions(OwnedAccountViewSet):
    """Where you are signed in."""

    serializer_class = SessionSerializer

    def get_queryset(self) -> QuerySet[Session]:
        return Session.objects.for_user(self.request.user).live(at=timezone.now())

    @extend_schema(
        summary="End all your sessions, this one too",
        responses={200: EndedSerializer},
    )
    def destroy_all(self, request: SignedInRequest) -> Response:
        return Response({"ended": Session.objects.for_user(request.user).end(at=timezone.now())})

    @extend_schema(summary="End one of your sessions", responses={200: EndedSerializer})
    def destroy(self, request: SignedInRequest, id: uuid.UUID) -> Response:  # noqa: A002
        session = self.mine(id)
        return Response({"ended": Session.objects.filter(pk=session.pk).end(at=timezone.now())})


@extend_schema_view(list=extend_schema(summary="Your personal access tokens"))
@extend_schema(tags=["me"])
class PersonalTokens(OwnedAccountViewSet):
    """Your tokens for scripts."""

    serializer_class = PersonalTokenSerializer
    # The answer shows the token, which is kept nowhere; a retry is stopped by the name, which is unique.
    idempotent = False

    def get_queryset(self) -> QuerySet[PersonalToken]:
        return PersonalToken.objects.for_user(self.request.user)

    @extend_schema(
        summary="Make a personal access token",
        request=PersonalTokenSerializer,
        responses={201: NewPersonalTokenSerializer},
    )
    def create(self, request: SignedInRequest) -> Response:
        given = checked(PersonalTokenSerializer, request)
        for scope in given["scopes"]:
            if scope not in request.auth.scopes:
                raise InsufficientScope(scope)  # A token must not make one that may do more than itself.
        secret = tokens.new_personal_token()
        given.setdefault("expires_at", timezone.now() + PersonalToken.LIFETIME)
        made = PersonalToken.objects.create(user=request.user, hash=tokens.digest(secret), **given)
        data = {**PersonalTokenSerializer(made).data, "token": secret}
        return Response(data, status=201, headers={**NO_STORE, "Location": f"{request.path}/{made.pk}"})

    @extend_schema(summary="Revoke a personal access token", responses={200: PersonalTokenSerializer})
    def destroy(self, request: SignedInRequest, id: uuid.UUID) -> Response:  # noqa: A002
        return removed(self, self.mine(id))


@extend_schema_view(list=extend_schema(summary="Your identities at outside issuers"))
@extend_schema(tags=["me"])
class Identities(OwnedAccountViewSet):
    """Who you are for outside issuers."""

    serializer_class = IdentitySerializer

    def get_queryset(self) -> QuerySet[Identity]:
        return Identity.objects.for_user(self.request.user)

    @extend_schema(
        summary="Link an outside identity to your account",
        request=IdentitySerializer,
        responses={200: IdentitySerializer, 201: IdentitySerializer},
    )
    def create(self, request: SignedInRequest) -> Response:
        token = checked(IdentitySerializer, request)["token"]
        try:
            claims = read_outside_token(token, *tokens.peek(token))
        except NotAuthenticated as error:
            # The caller is signed in; it is the body that does not hold.
            raise ValidationFailed.of(
                "token", "invalid", "This is no valid token of a trusted issuer."
            ) from error
        identity, made = Identity.objects.get_or_create(
            issuer=claims["iss"],
            subject=claims["sub"],
            defaults={"user": request.user, "email": text_claim(claims, "email", 254)},
        )
        if identity.user_id != request.user.pk:
            raise Conflict("This identity belongs to another account.")
        return Response(self.get_serializer(identity).data, status=201 if made else 200)

    @extend_schema(summary="Unlink an outside identity", responses={200: IdentitySerializer})
    def destroy(self, request: SignedInRequest, id: uuid.UUID) -> Response:  # noqa: A002
        identity = self.mine(id)
        if not request.user.has_usable_password() and self.get_queryset().count() == 1:
            raise Conflict("This is the only way into your account.")
        return removed(self, identity)


def removed(view: OwnedAccountViewSet, thing: Model) -> Response:
    data = view.get_serializer(thing).data
    thing.delete()
    return Response(data)
