"""Users, their credentials (sessions, personal tokens, identities) and failed logins."""

import uuid
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password, verify_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import connection, models
from django.db.models.functions import Lower
from django.utils import timezone

from todo_project.api.errors import QuotaExceeded
from todo_project.db.compiled import CompiledQuery, CompiledUpdate, Statement
from todo_project.db.fields import TimeZoneField

from . import tokens
from .querysets import (
    ErasedIdentityQuerySet,
    FailedLoginQuerySet,
    IdentityQuerySet,
    PersonalTokenQuerySet,
    SessionQuerySet,
    UserQuerySet,
)


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Finds users by email, ignoring case."""

    def create_user(self, email: str | None, password: str | None = None, **fields: Any) -> "User":
        user: User = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        rows = BY_EMAIL(email=self.normalize_email(email) or "")
        if not rows:
            raise User.DoesNotExist
        return User.from_db(connection.alias, COLUMNS, rows[0])

    def find(self, email_or_id: str) -> "User | None":
        try:
            lookup: dict[str, Any] = {"pk": uuid.UUID(email_or_id)}
        except ValueError:
            # Not None: an empty argument would find a user who has no email.
            lookup = {"email": self.normalize_email(email_or_id) or ""}
        user: User | None = self.filter(**lookup).first()
        return user

    @classmethod
    def normalize_email(cls, email: str | None) -> str | None:
        """Lower-case: providers in use ignore the case of a mailbox, and people mistype it."""
        return (email or "").strip().lower() or None


class User(AbstractBaseUser, PermissionsMixin):
    """A person or the owner of a script, who signs in by email."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # NULL, not "": many users may have no email, and emails are unique.
    email = models.EmailField(  # noqa: DJ001
        max_length=254,
        null=True,
        blank=True,
        help_text="Used to sign in. Empty for users who sign in only through an identity provider.",
    )
    name = models.CharField(max_length=150, blank=True)
    time_zone = TimeZoneField(
        default="UTC", help_text="Where the user's days begin and end, such as Europe/Berlin."
    )
    is_active = models.BooleanField(
        default=True,
        help_text="Uncheck to disable this account without deleting it. All sessions end immediately.",
    )
    is_staff = models.BooleanField(default=False, help_text="Can sign in to this admin site.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["email"],
                name="user_email_unique",
                violation_error_message="An account with this email already exists.",
            ),
            # With the constraint above: unique regardless of case, whoever writes the row.
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lowercase"),
        ]
        # For the admin's list and its filters. The two partial indexes hold few rows.
        indexes = [
            models.Index(fields=["created_at", "id"], name="user_created"),
            models.Index(fields=["created_at", "id"], name="user_staff", condition=models.Q(is_staff=True)),
            models.Index(
                fields=["created_at", "id"], name="user_deactivated", condition=models.Q(is_active=False)
            ),
        ]

    def __str__(self) -> str:
        return self.email or self.name or str(self.id)

    def clean(self) -> None:
        self.email = type(self).objects.normalize_email(self.email)

    def get_short_name(self) -> str:
        return self.name or str(self)

    def check_password(self, raw_password: str | None) -> bool:
        """As in Django, whose upgrade of a hash could overwrite a password that was set meanwhile."""
        correct, is_outdated = verify_password(raw_password, self.password)
        if not (correct and is_outdated):
            return correct
        upgraded = make_password(raw_password)
        if self._unchanged().update(password=upgraded):
            self.password = upgraded
            return True
        # Another request has upgraded the hash, changed the password or erased the user.
        stored = type(self).objects.filter(pk=self.pk).values_list("password", flat=True)
        self.password = stored.first() or ""
        return check_password(raw_password, self.password)

    def lock_password(self) -> bool:
        """Lock the row after check_password(), unless the password has been changed meanwhile.

        Hashing takes a while, so it comes before the lock.
        """
        # Not FOR UPDATE, which would block the foreign keys of other transactions.
        return self._unchanged().select_for_update(no_key=True).exists()

    def sign_in_statement(self, *, at: datetime) -> Statement:
        """The UPDATE that stores the time, of no row if lock_password() would be false."""
        return SIGN_IN.statement({"last_login": at}, user=self.pk, password=self.password)

    def _unchanged(self) -> UserQuerySet:
        users: UserQuerySet = type(self).objects.unchanged(self.pk, self.password)
        return users

    def change_password(self, password: str, *, at: datetime, keep: uuid.UUID | None = None) -> None:
        """Set a password and end all sessions but `keep`: anyone else who knew the old one is signed out."""
        self.set_password(password)
        self.save(update_fields=["password"])
        others = Session.objects.for_user(self)
        (others.exclude(pk=keep) if keep else others).end(at=at)


COLUMNS = [field.attname for field in User._meta.concrete_fields]
BY_EMAIL = CompiledQuery(
    lambda email: User.objects.filter(email=email).values_list(*COLUMNS), email=models.EmailField()
)
SIGN_IN = CompiledUpdate(
    lambda user, password: User.objects.unchanged(user, password),
    [User._meta.get_field("last_login")],
    user=models.UUIDField(),
    password=models.CharField(),
)


class Session(models.Model):
    """One sign-in on one device: a family of refresh tokens, of which only the newest is valid."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions", db_index=False)
    refresh_hash = models.CharField(max_length=64)
    generation = models.PositiveIntegerField(default=1)
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "created_at", "id"], name="session_user_created"),
            models.Index(fields=["expires_at"], name="session_expires"),
            models.Index(
                fields=["ended_at"], name="session_ended", condition=models.Q(ended_at__isnull=False)
            ),
        ]
        permissions = [("end_session", "Can end sessions")]

    def __str__(self) -> str:
        client = self.user_agent[:100] or "unknown client"
        return f"{client} from {self.address or 'somewhere'} since {self.created_at:%Y-%m-%d %H:%M} UTC"

    @classmethod
    def new(cls, user: User, *, at: datetime, user_agent: str, address: str) -> tuple["Session", str]:
        """A session, which is not stored yet, and its first refresh token."""
        session_id = uuid.uuid4()
        refresh = tokens.new_refresh_token(session_id, generation=1)
        session = cls(
            id=session_id,
            user=user,
            refresh_hash=tokens.digest(refresh),
            user_agent=user_agent[:300],
            address=address,
            created_at=at,
            last_used_at=at,
            expires_at=at + settings.REFRESH_TOKEN_LIFETIME,
        )
        return session, refresh

    @classmethod
    def end_oldest(cls, user: User, *, at: datetime) -> None:
        """Those above the quota."""
        if excess := _excess_sessions(settings.QUOTA_SESSIONS)(user=user.pk, at=at):
            cls.objects.filter(pk__in=[pk for (pk,) in excess]).end(at=at)


@cache
def _excess_sessions(quota: int) -> CompiledQuery:
    """All but the newest of a user."""
    return CompiledQuery(
        lambda user, at: (
            Session.objects.for_user(user)
            .live(at=at)
            .order_by("-created_at", "-id")
            .values_list("id")[quota:]
        ),
        user=models.UUIDField(),
        at=models.DateTimeField(),
    )


class PersonalToken(models.Model):
    """A token for a script, limited in time and scope. Only its hash is stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens", db_index=False)
    name = models.CharField(max_length=100)
    hash = models.CharField(max_length=64)
    # The token that created this one, which revoking it revokes too.
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children", db_index=False
    )
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = PersonalTokenQuerySet.as_manager()

    DEFAULT_LIFETIME = timedelta(days=90)
    MAX_LIFETIME = timedelta(days=366)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hash"], name="token_hash_unique"),
            # A retried request must not create a second token that nobody has seen.
            models.UniqueConstraint(
                fields=["user", "name"],
                name="token_name_once_per_user",
                violation_error_message="You already have a token with this name. "
                "Revoke it or choose another name.",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "created_at", "id"], name="token_user_created"),
            models.Index(fields=["expires_at"], name="token_expires"),
            models.Index(fields=["parent"], name="token_parent", condition=models.Q(parent__isnull=False)),
        ]
        permissions = [("revoke_personaltoken", "Can revoke personal tokens")]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(
        cls,
        user: User,
        *,
        at: datetime,
        name: str,
        scopes: list[str],
        expires_at: datetime | None = None,
        parent: "PersonalToken | None" = None,
    ) -> tuple["PersonalToken", str]:
        """A new token and its secret, which is not stored. Requires the user's row to be locked."""
        stored = cls.objects.for_user(user)
        if stored.count() >= settings.QUOTA_PERSONAL_TOKENS:
            stored.expired(at=at).delete()
        if stored.count() >= settings.QUOTA_PERSONAL_TOKENS:
            raise QuotaExceeded.of(
                "personal_tokens", "A user can have at most {limit} personal access tokens. Revoke one first."
            )
        if expires_at is None:
            default = at + cls.DEFAULT_LIFETIME
            expires_at = min(default, parent.expires_at) if parent else default
        secret = tokens.new_personal_token()
        token = cls.objects.create(
            user=user,
            name=name,
            hash=tokens.digest(secret),
            scopes=scopes,
            created_at=at,
            expires_at=expires_at,
            parent=parent,
        )
        return token, secret

    def record_use(self, *, at: datetime) -> None:
        """Store the time, to the minute: a write for each request would cost more than the request."""
        if self.last_used_at is None or self.last_used_at < at - timedelta(minutes=1):
            type(self).objects.filter(pk=self.pk).update(last_used_at=at)


class Identity(models.Model):
    """A user as an identity provider knows them. The email is for information; no lookup uses it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="identities", db_index=False)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    email = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = IdentityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"],
                name="identity_once",
                violation_error_message="This identity already belongs to an account.",
            )
        ]
        indexes = [
            models.Index(fields=["user", "created_at", "id"], name="identity_user_created"),
            # For the admin's list.
            models.Index(fields=["created_at", "id"], name="identity_created"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class ErasedIdentity(models.Model):
    """An identity of an erased user, as a hash: its older tokens must not create the account again."""

    # Without a key, because rotating SECRET_KEY would make every old token valid again.
    hash = models.CharField(max_length=64, primary_key=True)
    erased_at = models.DateTimeField(default=timezone.now)

    objects = ErasedIdentityQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "erased identities"
        indexes = [models.Index(fields=["erased_at"], name="erased_identity_erased")]

    def __str__(self) -> str:
        return self.hash


class FailedLogin(models.Model):
    """A failed login, with the email that was tried and the address of the client."""

    email = models.CharField(max_length=254)
    address = models.CharField(max_length=64)
    at = models.DateTimeField("time")

    objects = FailedLoginQuerySet.as_manager()

    class Meta:
        verbose_name = "failed sign-in"
        indexes = [
            models.Index(fields=["email", "at"], name="failed_login_email"),
            models.Index(fields=["address", "at"], name="failed_login_address"),
            models.Index(fields=["at"], name="failed_login_at"),
        ]

    def __str__(self) -> str:
        return f"{self.email} from {self.address}"
