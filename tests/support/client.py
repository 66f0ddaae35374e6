"""Django's test client with what all of our tests want of it."""

from typing import Any

from django.core.signals import setting_changed
from django.test import client

from todo_project.api.schema import document

HANDLER = client.ClientHandler(enforce_csrf_checks=False)
"""Shared, because each new handler loads all of the middleware, which would be a third of the tests' time."""


class Client(client.Client):
    """Gets answers as the network would: an exception in a view is a 500, not a traceback."""

    def __init__(self, **options: Any) -> None:
        super().__init__(raise_request_exception=False, **options)
        self.handler = HANDLER


def read_settings_again(*, setting: str, **_: Any) -> None:
    """Forget what a process makes of its settings once."""
    document.cache_clear()
    if setting != "ROOT_URLCONF":  # which middleware does not read
        HANDLER._middleware_chain = None  # type: ignore[attr-defined]


setting_changed.connect(read_settings_again)
