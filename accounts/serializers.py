"""Request and response bodies of the accounts API."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework import serializers
from rest_framework.fields import get_error_detail

from todo_project.api.fields import (
    CharField,
    ChoiceField,
    InstantField,
    IntegerField,
    TextField,
    TimeZoneField,
    UUIDField,
)
from todo_project.api.serializers import StrictSerializer, body_example

from .models import PersonalToken, User
from .scopes import ALL


class EmailField(serializers.EmailField):
    """An email, normalized as in User."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return User.objects.normalize_email(super().to_internal_value(data)) or ""


class PasswordField(CharField):
    """A password, not trimmed. The limit bounds the cost of hashing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=1000, trim_whitespace=False, write_only=True, **kwargs)


def validate_new_password(password: str, user: User, *, field: str) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise serializers.ValidationError({field: get_error_detail(error)}) from error


class UserSerializer(StrictSerializer):
    default_error_messages = {"read_only": "This field cannot be changed here."}

    id = serializers.UUIDField(read_only=True)
    email = serializers.EmailField(read_only=True, allow_null=True)
    name = TextField(max_length=150, required=False, allow_blank=True)
    time_zone = TimeZoneField(required=False, help_text="Where your days begin and end. The default is UTC.")
    has_password = serializers.BooleanField(
        source="has_usable_password",
        read_only=True,
        help_text="False for users who sign in only through an identity provider.",
    )
    created_at = serializers.DateTimeField(read_only=True)


@body_example(email="ann@example.com", password="correct horse battery", name="Ann")  # noqa: S106
class RegistrationSerializer(StrictSerializer):
    email = EmailField()
    password = PasswordField()
    name = TextField(max_length=150, required=False, allow_blank=True)
    time_zone = TimeZoneField(required=False, help_text="Where your days begin and end. The default is UTC.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = User(email=attrs["email"], name=attrs.get("name", ""))
        validate_new_password(attrs["password"], user, field="password")
        return attrs


@body_example(email="ann@example.com", password="correct horse battery")  # noqa: S106
class LoginSerializer(StrictSerializer):
    email = EmailField()
    password = PasswordField()


class RefreshSerializer(StrictSerializer):
    refresh = CharField(max_length=500)


class LogoutSerializer(StrictSerializer):
    refresh = CharField(max_length=500, required=False)


class TokenPairSerializer(serializers.Serializer[Any]):
    access = CharField(help_text="Send it as `Authorization: Bearer <token>`.")
    refresh = CharField(help_text="Works once; the response to the refresh contains the next one.")
    token_type = CharField(default="Bearer")
    expires_in = IntegerField(help_text="Lifetime of `access` in seconds.")


class LoginResponseSerializer(TokenPairSerializer):
    user = UserSerializer()


class ResetSerializer(StrictSerializer):
    email = EmailField()


class ResetConfirmationSerializer(StrictSerializer):
    token = CharField(max_length=200, help_text="The token from the email.")
    new_password = PasswordField()


@body_example(current_password="correct horse battery", new_password="another horse, another battery")  # noqa: S106
class PasswordChangeSerializer(StrictSerializer):
    current_password = PasswordField()
    new_password = PasswordField()


class DeletionSerializer(StrictSerializer):
    password = PasswordField(required=False, help_text="Required if the account has a password.")


class SessionSerializer(serializers.Serializer[Any]):
    id = UUIDField()
    current = serializers.SerializerMethodField()
    user_agent = CharField()
    address = CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()

    def get_current(self, session: Any) -> bool:
        return bool(session.pk == self.context["request"].auth.session)


class EndedSerializer(serializers.Serializer[Any]):
    ended = IntegerField(help_text="Number of sessions that this request has ended.")


@body_example(name="backup script", scopes=["tasks:read"], expires_at="2027-06-30T00:00:00Z")
class PersonalTokenSerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    name = TextField(max_length=100)
    scopes = serializers.ListField(
        child=ChoiceField(choices=sorted(ALL)), allow_empty=False, max_length=len(ALL)
    )
    created_at = serializers.DateTimeField(read_only=True)
    expires_at = InstantField(
        required=False,
        help_text="90 days from now by default; at most one year from now, and not later than that of the "
        "personal token that creates this one.",
    )
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def validate_scopes(self, value: list[str]) -> list[str]:
        return sorted(set(value))

    def validate_expires_at(self, value: Any) -> Any:
        now = timezone.now()
        if not now < value <= now + PersonalToken.MAX_LIFETIME + timedelta(minutes=1):
            raise serializers.ValidationError(
                "This field must be between now and one year from now.", code="range"
            )
        parent = self.context["request"].auth.personal_token
        if parent and value > parent.expires_at:
            raise serializers.ValidationError(
                "This field must not be later than that of the token that creates this one.", code="range"
            )
        return value


class NewPersonalTokenSerializer(PersonalTokenSerializer):
    token = serializers.CharField(read_only=True, help_text="The token itself. Not shown again.")


class IdentitySerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    issuer = serializers.CharField(read_only=True)
    subject = serializers.CharField(read_only=True)
    email = serializers.CharField(
        read_only=True, help_text="As reported by the identity provider; not verified."
    )
    created_at = serializers.DateTimeField(read_only=True)
    token = CharField(write_only=True, max_length=8192, help_text="A token of the identity provider.")
    password = PasswordField(
        required=False, help_text="Required unless you have signed in during the last ten minutes."
    )
