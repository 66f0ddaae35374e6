"""Hooks of schemathesis: how to sign in, and which failures are none.

The command `st` imports them, with the settings and the database of the server that it calls.
"""

import json
from fnmatch import fnmatch
from typing import Any

import django
import schemathesis

django.setup()

from accounts.models import User  # noqa: E402
from tests.support.caller import password_hash, signed_in  # noqa: E402
from todo_project.api.schema import IDEMPOTENCY_KEY  # noqa: E402

# Not the password of the examples, so that no request deletes the account.
PASSWORD = "neither an example nor likely to be guessed"

UNDESCRIBED = {
    "cursor *": "Opaque.",
    "since invalid": "Opaque.",
    "*key invalid": "No pattern knows which characters of Unicode are printable.",
    "* blank": "No pattern knows which characters of Unicode are visible.",
    "*.if_match invalid": "Whole numbers of JSON Schema include 17.0.",
    "operations.* unknown": "The fields that an operation takes depend on its `op`.",
    "operations.* required": "The fields that an operation takes depend on its `op`.",
    "operations.*.op invalid_choice": "Which operations there are depends on the `kind`.",
    "* null_characters_not_allowed": "No database stores them.",
    "token invalid": "From an email or an identity provider.",
    "current_password wrong": "The password of the account.",
    "password wrong": "The password of the account.",
    "password required": "Only if the account has one.",
    "*password password_*": "Django's validators of passwords.",
    "expires_at range": "Relative to the current time.",
    "*tz unknown": "See time_zone.",
    "*due_zone unknown": "See time_zone.",
    "*due_zone without_time": "Depends on the other fields, also of the stored task.",
    "* exclusive": "Depends on the other fields, also of the stored task.",
    "* without_due": "Depends on the other fields, also of the stored task.",
    "*repeat.rule invalid": "A language of its own.",
    "*after required": "One of several fields.",
    "*after invalid": "null is allowed only at the end of a list.",
    "*before invalid": "null is allowed only at the end of a list.",
    "* does_not_exist": "Depends on the stored objects.",
    "* archived": "Depends on the stored objects.",
    "* cycle": "Depends on the stored objects.",
    "* max_levels": "Depends on the stored objects.",
    "* unique": "Depends on the stored objects.",
    "time_zone unknown": "One of 600 names, some of which come and go.",
}
"""Patterns of fields and constraints that no schema can describe, with the reason."""


def user(email: str) -> User:
    return User.objects.get_or_create(email=email, defaults={"password": password_hash(PASSWORD)})[0]


ENDS_SESSIONS = "^/api/v1/(me|auth/logout)"


@schemathesis.auth(refresh_interval=600).skip_for(path_regex=ENDS_SESSIONS)
class OneSession:
    def get(self, case: Any, context: Any) -> str:
        return str(signed_in(user("alice@example.com")).token)

    def set(self, case: Any, token: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.auth(refresh_interval=None).apply_to(path_regex=ENDS_SESSIONS)
class SessionForEachRequest(OneSession):
    """Not of the same user: these operations end the user's other sessions too."""

    def get(self, case: Any, context: Any) -> str:
        return str(signed_in(user("bob@example.com")).token)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Let writes succeed: an invented ETag never matches, a key works once, a dry run deletes nothing."""
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if case.headers.get("Idempotency-Key") == IDEMPOTENCY_KEY["example"]:
        del case.headers["Idempotency-Key"]
    if case.method == "DELETE" and case.query.get("dry_run") in (True, "true"):
        del case.query["dry_run"]


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether to report it."""
    if failure.code == "ST202" and response.status_code == 400:
        return not is_undescribed(json.loads(response.content)["error"])
    if failure.code == "ST108":
        # The schema requires all fields. `fields` leaves some out; of a purged object only two are kept.
        return "fields" not in (case.query or {}) and "idempotent-replayed" not in response.headers
    # A deleted task is there again after it was restored.
    return not (failure.code == "ST301" and case.path.startswith("/api/v1/tasks/{id}"))


def is_undescribed(error: dict[str, Any]) -> bool:
    if error["code"] == "INVALID_CURSOR" or "character NUL" in error["message"]:
        return True
    errors = [f"{each['field']} {each['constraint']}" for each in error["details"].get("errors", [])]
    return bool(errors) and all(any(fnmatch(each, known) for known in UNDESCRIBED) for each in errors)
