"""Limits password guessing: counts failed logins and refuses further attempts before hashing.

Three limits for the last 15 minutes: for an account from one address, for an address over all accounts,
and for an account over all addresses. So that nobody can lock out a user by the last one, it does not apply
to addresses from which the user has signed in before, and a password reset clears it. An address that cannot
be read has only the last one. Signed-in users are limited by session instead, so that strangers who share
their address cannot keep them from changing their password.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.db.models import CharField, Count, DateTimeField, Min, Q, QuerySet, Value

from todo_project.db.compiled import CompiledDelete, CompiledQuery, Statement
from todo_project.db.locks import rows_after_lock

from .errors import TooManyAttempts
from .models import FailedLogin, Session, User

T = TypeVar("T")

WINDOW = timedelta(minutes=15)
PER_ACCOUNT_AND_ADDRESS = 5
PER_ADDRESS = 50
PER_ACCOUNT = 100


def attempt(email: str, address: str, check: Callable[[], T], *, at: datetime, signed_in: bool = False) -> T:
    """The result of `check`; a false one counts as a failure. Needs a transaction."""
    check_attempts(email, address, at=at, signed_in=signed_in)
    result = check()
    if not result:
        record_failure(email, address, at=at)
    return result


def check_attempts(email: str, address: str, *, at: datetime, signed_in: bool = False) -> None:
    """Raise TooManyAttempts, with the time until the oldest failure leaves the window.

    Attempts for one account and address run one by one: in parallel, all would see a low count. SQLite has
    only one writer anyway.
    """
    limits = {"both": PER_ACCOUNT_AND_ADDRESS, "address": PER_ADDRESS, "account": PER_ACCOUNT}
    if signed_in:
        del limits["address"], limits["account"]
    elif not address:
        del limits["both"], limits["address"]
    values = {"email": email, "address": address, "since": at - WINDOW}
    [row] = rows_after_lock(f"login {email} {address}", RECENT_FAILURES, values, lock_timeout=5)
    found = dict(zip(("both", "address", "account"), (row[:2], row[2:4], row[4:]), strict=True))
    for name, limit in limits.items():
        number, first = found[name]
        if number >= limit and not (name == "account" and _is_familiar(email, address)):
            seconds = (first + WINDOW - at).total_seconds()
            raise TooManyAttempts(retry_after=max(1, round(seconds)))


def _recent_failures(email: Any, address: Any, since: Any) -> QuerySet[Any, Any]:
    """The number and the first of those of the account and address, the address, and the account."""
    same_account, same_address = Q(email=email), Q(address=address)
    columns: dict[str, Any] = {}
    for number, rows in enumerate((same_account & same_address, same_address, same_account)):
        columns |= {f"number_{number}": Count("pk", filter=rows), f"first_{number}": Min("at", filter=rows)}
    recent = FailedLogin.objects.since(since).filter(same_account | same_address)
    # A group of all rows: aggregate() returns no queryset.
    return recent.annotate(all=Value(1)).values("all").annotate(**columns).values_list(*columns)


RECENT_FAILURES = CompiledQuery(
    _recent_failures, email=CharField(), address=CharField(), since=DateTimeField()
)


def check_password_counted(user: User, password: str, source: str, *, at: datetime) -> bool:
    """Whether this is the password of a signed-in user; wrong ones count as failed logins.

    The source, such as the user's session, takes the place of the address.
    """
    check = partial(user.check_password, password)
    return attempt(user.email or str(user.pk), source, check, at=at, signed_in=True)


def record_failure(email: str, address: str, *, at: datetime) -> None:
    FailedLogin.objects.create(email=email, address=address, at=at)


def forget_failures(user: User, address: str) -> Statement:
    """The DELETE after a sign-in; failures from other addresses still count."""
    return FORGET_FAILURES.statement(email=user.email or "", address=address)


FORGET_FAILURES = CompiledDelete(
    lambda email, address: FailedLogin.objects.for_account(email).from_address(address),
    email=CharField(),
    address=CharField(),
)


def clear_account_failures(email: str) -> None:
    """Forget all failures of the account, from any address: a password reset has proved the mailbox."""
    FailedLogin.objects.for_account(email).delete()


def _is_familiar(email: str, address: str) -> bool:
    return bool(address) and Session.objects.filter(user__email=email, address=address).exists()
