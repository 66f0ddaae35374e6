"""Which users and credentials exist for a caller and are still valid. Time is an argument."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Count, Q

from todo_project.db.querysets import OwnedQuerySet
from todo_project.db.user_annotations import USER_ANNOTATIONS

from . import tokens


class UserQuerySet(models.QuerySet[Any]):
    def active(self) -> Self:
        return self.filter(is_active=True)

    def unchanged(self, user: Any, password: Any) -> Self:
        """The user, while the account is active and the hash of its password is this one."""
        return self.active().filter(pk=user, password=password)

    def stats(self, *, new_since: datetime) -> dict[str, int]:
        """The numbers of all and of new users, in one query."""
        return self.aggregate(all=Count("pk"), new=Count("pk", filter=Q(created_at__gt=new_since)))

    def deactivate(self) -> int:
        """Deactivate the active ones; returns their number."""
        return self.active().update(is_active=False)

    def staff(self) -> Self:
        return self.filter(is_staff=True)

    def found_by(self, words: list[str]) -> Self:
        """Users whose email or name contains each of the words."""
        return self.filter(*(Q(email__icontains=word) | Q(name__icontains=word) for word in words))

    def with_annotations(self) -> Self:
        return self.annotate(**{name: each.expression() for name, each in USER_ANNOTATIONS.items()})

    def in_session(self, session: uuid.UUID, *, at: datetime) -> Self:
        return self.active().filter(
            sessions__id=session, sessions__ended_at__isnull=True, sessions__expires_at__gt=at
        )

    def with_identity(self, *, issuer: str, subject: str) -> Self:
        return self.filter(identities__issuer=issuer, identities__subject=subject)


class SessionQuerySet(OwnedQuerySet):
    owner_field = "user"

    def live(self, *, at: datetime) -> Self:
        return self.filter(ended_at__isnull=True, expires_at__gt=at)

    def expired(self, *, at: datetime) -> Self:
        return self.filter(expires_at__lte=at)

    def ended(self, *, at: datetime) -> Self:
        return self.filter(ended_at__lte=at)

    def end(self, *, at: datetime) -> int:
        """End the open ones; returns their number. Sessions that have ended keep their time."""
        return self.filter(ended_at__isnull=True).update(ended_at=at)


class PersonalTokenQuerySet(OwnedQuerySet):
    owner_field = "user"

    def with_user(self) -> Self:
        annotations = {name: each.expression(prefix="user__") for name, each in USER_ANNOTATIONS.items()}
        return self.select_related("user").annotate(**annotations)

    def live(self, *, at: datetime) -> Self:
        return self.filter(expires_at__gt=at)

    def expired(self, *, at: datetime) -> Self:
        return self.filter(expires_at__lte=at)


class IdentityQuerySet(OwnedQuerySet):
    owner_field = "user"


class ErasedIdentityQuerySet(models.QuerySet[Any]):
    def of(self, *, issuer: str, subject: str) -> Self:
        return self.filter(hash=self.hash_of(issuer, subject))

    def before(self, at: datetime) -> Self:
        return self.filter(erased_at__lt=at)

    def record(self, identities: IdentityQuerySet) -> None:
        self.bulk_create(
            [
                self.model(hash=self.hash_of(*identity))
                for identity in identities.values_list("issuer", "subject")
            ],
            update_conflicts=True,
            unique_fields=["hash"],
            update_fields=["erased_at"],
        )

    @staticmethod
    def hash_of(issuer: str, subject: str) -> str:
        return tokens.digest(f"{issuer}\0{subject}")


class FailedLoginQuerySet(models.QuerySet[Any]):
    def since(self, at: datetime) -> Self:
        return self.filter(at__gt=at)

    def before(self, at: datetime) -> Self:
        return self.filter(at__lt=at)

    def between(self, start: datetime, end: datetime) -> Self:
        return self.filter(at__gte=start, at__lt=end)

    def for_account(self, email: str) -> Self:
        return self.filter(email=email)

    def from_address(self, address: str) -> Self:
        return self.filter(address=address)
