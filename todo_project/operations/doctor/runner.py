"""Runs each of the doctor's checks on its own, whatever happens to the others.

A check yields Django's check messages: Info if all is well, Warning and Error with a hint that says what to
do. An app registers its checks in its module `diagnosis`.
"""

from collections.abc import Callable, Iterator
from threading import Thread

from django.core.checks import CheckMessage, Error

from todo_project.config.registry import Registry

from .redaction import redacted

TIMEOUT = 15
"""Seconds. Connecting to a database gives up after 10."""

Check = Callable[[], Iterator[CheckMessage]]

app_checks: Registry[Check] = Registry("doctor checks")
app_database_checks: Registry[Check] = Registry("doctor checks of the database")
"""They run only if the database can be reached."""


def run_check(check: Check, *, timeout: float | None = TIMEOUT) -> list[CheckMessage]:
    """In a daemon thread, so that a hanging check delays neither the others nor the end of the command."""
    messages: list[CheckMessage] = []

    def run() -> None:
        try:
            for message in check():
                messages.append(message)
        except Exception as error:
            messages.append(
                Error(
                    f"The check itself failed ({type(error).__name__}: {redacted(error)}).",
                    hint="Check this by hand, and report a bug in the doctor.",
                )
            )

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        late = Error(
            f"No answer within {timeout:g} seconds.", hint="Check for a firewall or a wrong host name."
        )
        return [*messages, late]
    return messages
