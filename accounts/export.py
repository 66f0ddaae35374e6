"""A user's account in an export. Hashes of passwords and tokens are left out."""

from collections.abc import Iterable, Iterator
from typing import Any

from todo_project.operations.exporting import Section, exporters

from .models import Identity, PersonalToken, Session, User
from .serializers import UserSerializer


@exporters.register("account")
def account(user: User) -> Iterator[Section]:
    more = {"is_active": user.is_active, "last_login": user.last_login}
    yield "profile", {**UserSerializer(user).data, **more}
    yield (
        "sessions",
        _rows(Session, user, "id", "user_agent", "address", "created_at", "last_used_at", "ended_at"),
    )
    yield (
        "tokens",
        _rows(PersonalToken, user, "id", "name", "scopes", "created_at", "expires_at", "last_used_at"),
    )
    yield "identities", _rows(Identity, user, "id", "issuer", "subject", "email", "created_at")


def _rows(model: Any, user: User, *fields: str) -> Iterable[dict[str, Any]]:
    rows: Iterable[dict[str, Any]] = (
        model.objects.for_user(user).order_by("created_at", "id").values(*fields).iterator(chunk_size=1000)
    )
    return rows
