"""Passwords cannot be tried without end: failures are counted, and refused before a hash is computed.

Three counts over the last quarter of an hour: of an account from one address, of an address over all
accounts, and of an account over all addresses. The last stops a swarm, and must not become a way to lock
somebody out: it does not hold where the person has signed in before, and a password reset clears it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import connection
from django.db.models import Count, Min, Q

from todo_project.api.errors import RateLimited

from .models import FailedLogin, Session, User

T = TypeVar("T")

WINDOW = timedelta(minutes=15)
PER_ACCOUNT_AND_ADDRESS = 5
PER_ADDRESS = 50
PER_ACCOUNT = 100


def attempt(email: str, address: str, prove: Callable[[], T], *, at: datetime) -> T:
    """What `prove` says; nothing, or a no, is a failure that counts. Runs in the caller's transaction."""
    lock_attempts(email, address)
    check_attempts(email, address, at=at)
    proven = prove()
    if not proven:
        record_failure(email, address, at=at)
    return proven


def lock_attempts(email: str, address: str) -> None:
    """Until this transaction ends let nobody else try this account from there: all would find the count low.

    SQLite has one writer at a time anyway. A lock of the transaction is safe behind a pooler.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"login {email} {address}"]
            )


def check_attempts(email: str, address: str, *, at: datetime) -> None:
    """Raise RateLimited, with the time until the oldest failure is forgotten."""
    account, here = Q(email=email), Q(address=address)
    counted = (
        FailedLogin.objects.since(at - WINDOW)
        .filter(account | here)
        .aggregate(
            by_both=Count("pk", filter=account & here),
            by_address=Count("pk", filter=here),
            by_account=Count("pk", filter=account),
            first_both=Min("at", filter=account & here),
            first_address=Min("at", filter=here),
            first_account=Min("at", filter=account),
        )
    )
    if counted["by_both"] >= PER_ACCOUNT_AND_ADDRESS:
        _refuse_until(counted["first_both"] + WINDOW, at)
    if counted["by_address"] >= PER_ADDRESS:
        _refuse_until(counted["first_address"] + WINDOW, at)
    if counted["by_account"] >= PER_ACCOUNT and not _is_familiar(email, address):
        _refuse_until(counted["first_account"] + WINDOW, at)


def check_password_counted(user: User, password: str, address: str, *, at: datetime) -> bool:
    """Whether somebody who is signed in knows their password; guesses count as failed logins."""
    return attempt(user.email or str(user.pk), address, partial(user.check_password, password), at=at)


def record_failure(email: str, address: str, *, at: datetime) -> None:
    FailedLogin.objects.create(email=email, address=address, at=at)


def clear_failures(user: User, address: str) -> None:
    """Who is signed in from there, all of it done; what others have tried elsewhere still counts."""
    FailedLogin.objects.of_account(user.email or "").from_address(address).delete()


def clear_account_failures(email: str) -> None:
    """After a password reset: whoever reads the mailbox is not kept out by what others tried."""
    FailedLogin.objects.of_account(email).delete()


def _is_familiar(email: str, address: str) -> bool:
    return Session.objects.filter(user__email=email, address=address).exists()


def _refuse_until(until: datetime, at: datetime) -> None:
    raise RateLimited(retry_after=max(1, round((until - at).total_seconds())))
